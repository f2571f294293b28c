using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;

namespace Hearth.Training.Parity;

/// <summary>The description in a case file's metadata: family, config under short names, recipes, tolerances.</summary>
/// <param name="Plan">The model of <c>config</c>.</param>
/// <param name="Train">Recipes by name.</param>
/// <param name="Greedy">How many tokens go on from which prompt; null where the family compares its own.</param>
public sealed record ParityCase(ModelPlan Plan, IReadOnlyDictionary<string, JsonElement> Train, JsonElement? Greedy, JsonElement Tolerance, JsonElement Metadata)
{
    /// <summary>Of results of recipes with 8-bit moments.</summary>
    public const string EightBitKind = "train_8bit";

    private const double EightBitAllowed = 1e-4;

    /// <exception cref="BadInputException">The file is no case, or names a config that cannot be built; says which field.</exception>
    public static ParityCase Read(SafetensorsReader file)
    {
        if (!file.Metadata.TryGetValue("case", out string? text))
        {
            throw new BadInputException("The file has no metadata key \"case\": it is no parity case.");
        }

        using var document = JsonDocument.Parse(text);
        var root = document.RootElement.Clone();
        var train = root.TryGetProperty("train", out var recipes) && recipes.ValueKind == JsonValueKind.Object
            ? recipes.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal)
            : [];
        bool greedy = root.TryGetProperty("greedy", out var how) && how.ValueKind == JsonValueKind.Object;
        return new ParityCase(MakePlan(root, null), train, greedy ? how : null, root.GetProperty("tolerance"), root);
    }

    /// <summary>The plan that a recipe trains: the case's, with what the recipe's own <c>config</c> changes.</summary>
    public ModelPlan PlanOf(JsonElement recipe) => recipe.TryGetProperty("config", out var changes) ? MakePlan(Metadata, changes) : Plan;

    /// <summary>Plans under which the file may hold more results, by the name in front of them.</summary>
    public IEnumerable<(string Name, ModelPlan Plan)> Variants() =>
        FamilyCases.Of(Plan.Family).Variants.Select(v => (v.Key, MakePlan(Metadata, v.Value)));

    /// <summary>Step <paramref name="step"/> of the numbers that a page leaves to the run (<c>ti</c>), under a fixed factor.</summary>
    public TrainingStep StepAt(long step, double factor) => new(
        Metadata.TryGetProperty("ti", out var run) ? run.GetProperty("seed").GetInt64() : 0, step, 0, factor, 0);

    /// <summary>The step at which losses and gradients are taken.</summary>
    public long LossStep => Metadata.TryGetProperty("ti", out var run) ? run.GetProperty("step").GetInt64() : 0;

    private static ModelPlan MakePlan(JsonElement root, JsonElement? changes)
    {
        string name = root.GetProperty("family").GetString()!;
        string size = root.GetProperty("size").GetString()!;
        var family = Families.Find(name) ?? throw new BadInputException($"family is {name}. Allowed: {string.Join(", ", Families.All.Select(f => f.Name))}.");
        var cases = FamilyCases.Of(name);
        var errors = new List<FieldError>();
        var overrides = new Dictionary<string, JsonElement>(cases.Defaults, StringComparer.Ordinal);
        foreach (var (field, value) in Overrides(family, cases, root.GetProperty("config")))
        {
            overrides[field] = value;
        }

        foreach (var (field, value) in changes is { } more ? Overrides(family, cases, more) : [])
        {
            overrides[field] = value;
        }

        return family.Plan(size, overrides, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
    }

    // A part of the model that the family lacks may be named only to say that it is off.
    private static Dictionary<string, JsonElement> Overrides(Family family, FamilyCases cases, JsonElement config)
    {
        var overrides = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (name, value) in config.EnumerateObject().Select(p => (cases.Names.GetValueOrDefault(p.Name, p.Name), p.Value)))
        {
            if (family.Fields.Any(f => f.Name == name))
            {
                overrides.Add(name, Spelled(cases, value));
            }
            else if (name.Length > 0 && value.ValueKind != JsonValueKind.False)
            {
                throw new BadInputException($"config.{name} is {value.GetRawText()}. Allowed: false ({family.Title} has no such part here).");
            }
        }

        return overrides;
    }

    private static JsonElement Spelled(FamilyCases cases, JsonElement value) => value.ValueKind != JsonValueKind.Array
        ? value
        : JsonSerializer.SerializeToElement(value.EnumerateArray().Select(
            v => v.ValueKind == JsonValueKind.String && cases.WordsInLists.TryGetValue(v.GetString()!, out string? word) ? JsonSerializer.SerializeToElement(word) : v));

    /// <summary>Largest allowed difference, relative to 1 + |v|.</summary>
    public double Allowed(string dtype, string kind)
    {
        if (dtype == "fp64")
        {
            // One code that falls the other way at a tie moves an 8-bit run by more than rounding does.
            return kind == EightBitKind ? EightBitAllowed : Tolerance.GetProperty("fp64").GetDouble();
        }

        var fp32 = Tolerance.GetProperty("fp32");
        return fp32.TryGetProperty(kind == EightBitKind ? "train" : kind, out var value) ? value.GetDouble() : fp32.GetProperty("logits").GetDouble();
    }
}
