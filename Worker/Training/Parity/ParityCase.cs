using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Torch;

namespace Hearth.Training.Parity;

/// <summary>The description in a case file's metadata: family, config under short names, recipes, tolerances.</summary>
public sealed record ParityCase(string Family, ModelPlan Plan, IReadOnlyDictionary<string, JsonElement> Train, JsonElement? Greedy, JsonElement Tolerance)
{
    /// <exception cref="BadInputException">The file is no case, or names a config that cannot be built; says which field.</exception>
    public static ParityCase Read(SafetensorsReader file)
    {
        if (!file.Metadata.TryGetValue("case", out string? text))
        {
            throw new BadInputException("The file has no metadata key \"case\": it is no parity case.");
        }

        using var document = JsonDocument.Parse(text);
        var root = document.RootElement.Clone();
        string name = root.GetProperty("family").GetString()!;
        string size = root.GetProperty("size").GetString()!;
        var family = Families.Find(name) ?? throw new BadInputException($"family is {name}. Allowed: {string.Join(", ", Families.All.Select(f => f.Name))}.");
        var errors = new List<FieldError>();
        var plan = family.Plan(size, Overrides(family, root.GetProperty("config")), errors)
            ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        var train = root.TryGetProperty("train", out var recipes)
            ? recipes.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal)
            : [];
        return new ParityCase(name, plan, train, root.TryGetProperty("greedy", out var greedy) ? greedy : null, root.GetProperty("tolerance"));
    }

    // A part of the model that the family lacks may be named only to say that it is off.
    private static Dictionary<string, JsonElement> Overrides(IFamily family, JsonElement config)
    {
        var overrides = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (name, value) in config.EnumerateObject().Select(p => (family.CaseNames.GetValueOrDefault(p.Name, p.Name), p.Value)))
        {
            if (family.Fields.Any(f => f.Name == name))
            {
                overrides.Add(name, value);
            }
            else if (name.Length > 0 && value.ValueKind != JsonValueKind.False)
            {
                throw new BadInputException($"config.{name} is {value.GetRawText()}. Allowed: false ({family.Title} has no such part here).");
            }
        }

        return overrides;
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
