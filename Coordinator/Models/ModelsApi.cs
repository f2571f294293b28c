using System.Text.Json;
using Hearth.Api;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Models;

/// <summary>What the submit form needs to know: families, sizes, fields, presets. Pure: no library of tensors is loaded.</summary>
public static class ModelsApi
{
    private static readonly ModelsResponse Response = new(
        [.. Families.All.Select(Family)],
        [.. RunSpecFields.All.Select(Field)],
        [.. Presets()]);

    public static void MapModels(this RouteGroupBuilder api) => api.MapGet("/models", () => Response).WithSummary("Families, sizes, fields and presets: what a submit form needs.");

    private static FamilyView Family(Family family) => new(
        family.Name,
        family.Title,
        family.Summary,
        [.. family.Sizes.Select(size => Plan(family, size)).Select(p => new SizeView(p.Size, p.Parameters, p.MaxSeqLen, p.VocabSize, Values(p)))],
        [.. family.Fields.Select(f => new ModelFieldView(f.Name, JsonNamingPolicy.SnakeCaseLower.ConvertName(f.Kind.ToString()), f.Help, f.Allowed, f.Choices))]);

    private static Dictionary<string, JsonElement> Values(ModelPlan plan) =>
        plan.Config.ToDictionary(p => p.Key, p => JsonSerializer.SerializeToElement(p.Value, Json.Wire), StringComparer.Ordinal);

    private static FieldRuleView Field(FieldRule rule) => new(rule.Path, rule.Kind, rule.Help, rule.Allowed, rule.Choices, Default(rule.Path), rule.DefaultTenthOf);

    private static JsonElement? Default(string path)
    {
        var spec = new RunSpec { Name = "", Model = new ModelSpec { Family = "", Size = "" }, Data = new DataSpec { Dataset = "" } };
        JsonElement at = JsonSerializer.SerializeToElement(spec, Json.Wire);
        foreach (string part in path.Split('.'))
        {
            if (!at.TryGetProperty(part, out at))
            {
                return null;
            }
        }

        return at;
    }

    private static IEnumerable<PresetView> Presets() =>
        from family in Families.All
        from size in family.Sizes
        let recipe = family.Recipe(size)
        select new PresetView(recipe.Name, Plan(family, size).Title, family.Summary, recipe);

    private static ModelPlan Plan(Family family, string size) => family.Plan(size, new Dictionary<string, JsonElement>(), new List<FieldError>())!;
}
