using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Torch;

namespace Hearth.Training.Parity;

/// <summary>The description in a case file's metadata: family, config under short names, recipes, tolerances.</summary>
public sealed record ParityCase(string Family, ModelPlan Plan, IReadOnlyDictionary<string, JsonElement> Train, JsonElement? Greedy, JsonElement Tolerance)
{
    // Short names of the parameter table and what our specs call them.
    private static readonly Dictionary<string, string> LongNames = new(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layer",
        ["heads"] = "n_head",
        ["kv"] = "n_kv_head",
        ["ff"] = "d_ff",
        ["tie"] = "tie_embeddings",
    };

    /// <exception cref="InvalidDataException">The file is no case, or names a config that cannot be built; says which field.</exception>
    public static ParityCase Read(SafetensorsReader file)
    {
        if (!file.Metadata.TryGetValue("case", out string? text))
        {
            throw new InvalidDataException("The file has no metadata key \"case\": it is no parity case.");
        }

        using var document = JsonDocument.Parse(text);
        var root = document.RootElement.Clone();
        string name = root.GetProperty("family").GetString()!;
        string size = root.GetProperty("size").GetString()!;
        var family = Families.Find(name) ?? throw new InvalidDataException($"family is {name}. Allowed: {string.Join(", ", Families.All.Select(f => f.Name))}.");
        var known = family.Fields.Select(f => f.Name).ToHashSet(StringComparer.Ordinal);
        var overrides = root.GetProperty("config").EnumerateObject()
            .Select(p => (Name: LongNames.GetValueOrDefault(p.Name, p.Name), p.Value))
            .Where(p => known.Contains(p.Name))
            .ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        var errors = new List<FieldError>();
        var plan = family.Plan(size, overrides, errors)
            ?? throw new InvalidDataException(string.Join(" ", errors.Select(e => e.Message)));
        var train = root.TryGetProperty("train", out var recipes)
            ? recipes.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal)
            : [];
        return new ParityCase(name, plan, train, root.TryGetProperty("greedy", out var greedy) ? greedy : null, root.GetProperty("tolerance"));
    }

    /// <summary>Largest allowed difference, relative to 1 + |v|.</summary>
    public double Allowed(string dtype, string kind)
    {
        if (dtype == "fp64")
        {
            return Tolerance.GetProperty("fp64").GetDouble();
        }

        var fp32 = Tolerance.GetProperty("fp32");
        return fp32.TryGetProperty(kind, out var value) ? value.GetDouble() : fp32.GetProperty("logits").GetDouble();
    }
}
