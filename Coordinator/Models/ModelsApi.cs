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

    private static FamilyView Family(IFamily family) => new(
        family.Name,
        family.Title,
        family.Summary,
        [.. family.Sizes.Select(size => Plan(family, size)).Select(p => new SizeView(p.Size, p.Parameters, p.MaxSeqLen, p.VocabSize))],
        [.. family.Fields.Select(f => new ModelFieldView(f.Name, JsonNamingPolicy.SnakeCaseLower.ConvertName(f.Kind.ToString()), f.Help, f.Allowed, f.Choices))]);

    private static FieldRuleView Field(FieldRule rule) => new(rule.Path, rule.Kind, rule.Help, rule.Allowed, rule.Choices, Default(rule.Path));

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

    // A size whose own vocabulary is too small for a tokenizer trained on text takes one that holds it.
    private const int SmallVocabulary = 512;

    private static IEnumerable<PresetView> Presets() =>
        from family in Families.All
        from size in family.Sizes
        let plan = Plan(family, size)
        let length = Math.Min(plan.MaxSeqLen, size == "nano" ? 128 : 1024)
        select new PresetView(
            $"{family.Name}-{size}",
            plan.Title,
            family.Summary,
            new RunSpec
            {
                Name = $"{family.Name}-{size}",
                Model = new ModelSpec { Family = family.Name, Size = size, Overrides = Overrides(plan) },
                Data = new DataSpec { Dataset = "", SeqLen = length },
                Train = new TrainSpec { BatchTokens = length * 16 },
            });

    private static Dictionary<string, JsonElement> Overrides(ModelPlan plan) => plan.VocabSize >= TokenizerKinds.LeastVocabulary(TokenizerKinds.ByteBpe)
        ? []
        : new(StringComparer.Ordinal) { ["vocab_size"] = JsonSerializer.SerializeToElement(SmallVocabulary) };

    private static ModelPlan Plan(IFamily family, string size) => family.Plan(size, new Dictionary<string, JsonElement>(), new List<FieldError>())!;
}
