using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Comparison;

/// <summary>What run specs differ in, with defaults filled in: a field that one leaves out and another names with its default is the same. Pure.</summary>
public static class SpecDifferences
{
    /// <param name="specs">One a run.</param>
    /// <returns>By field; the name is left out, since it always differs.</returns>
    public static IReadOnlyList<FieldDifference> Of(IReadOnlyList<RunSpec> specs)
    {
        var runs = specs.Select(Fields).ToList();
        var differences = new List<FieldDifference>();
        foreach (string path in runs.SelectMany(r => r.Keys).Distinct(StringComparer.Ordinal).Where(p => p != "name").Order(StringComparer.Ordinal))
        {
            var values = runs.Select(r => r.GetValueOrDefault(path)).ToList();
            if (values.Any(v => !JsonNode.DeepEquals(v, values[0])))
            {
                differences.Add(new FieldDifference(path, [.. values.Select(v => v is null ? (JsonElement?)null : JsonSerializer.SerializeToElement(v))]));
            }
        }

        return differences;
    }

    // The model's own fields as its plan has them; of a model that can be planned no more, as they were given.
    private static Dictionary<string, JsonNode?> Fields(RunSpec spec)
    {
        var fields = new Dictionary<string, JsonNode?>(StringComparer.Ordinal);
        Add(fields, "", JsonSerializer.SerializeToNode(spec, Json.Wire)!.AsObject());
        if (Families.Plan(spec.Model, new List<FieldError>()) is { } plan)
        {
            Add(fields, "model.", plan.Config);
        }

        return fields;
    }

    private static void Add(Dictionary<string, JsonNode?> fields, string prefix, JsonObject section)
    {
        foreach (var (name, value) in section)
        {
            if (value is JsonObject inner)
            {
                Add(fields, $"{prefix}{name}.", inner);
            }
            else
            {
                fields[prefix + name] = value;
            }
        }
    }
}
