using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>What one trial sets: a value for each dimension of its space, null where the dimension does not count.</summary>
public sealed record Setting(IReadOnlyList<double?> Values)
{
    public bool Equals(Setting? other) => other is not null && Values.SequenceEqual(other.Values);

    public override int GetHashCode() => Values.Aggregate(0, HashCode.Combine);
}

/// <summary>
/// The fields that trials differ in, each behind those that it hangs on. Fields on one floor come by name, so that a space is the same however its
/// fields were written down.
/// </summary>
public sealed class SearchSpace
{
    private readonly IReadOnlyList<(int Parent, bool[] Allowed)[]> _conditions;

    /// <summary>Takes dimensions that <see cref="SpaceChecks"/> found no error in.</summary>
    /// <exception cref="ArgumentException">Conditions go round in a circle, or name a field that is not there.</exception>
    public SearchSpace(IEnumerable<Dimension> dimensions)
    {
        Dimensions = Ordered([.. dimensions.OrderBy(d => d.Path, StringComparer.Ordinal)]);
        var places = Dimensions.Index().ToDictionary(d => d.Item.Path, d => d.Index, StringComparer.Ordinal);
        _conditions = [.. Dimensions.Select(d => d.When.Select(c => (places[c.Path], Allowed(Dimensions[places[c.Path]], c))).ToArray())];
    }

    public IReadOnlyList<Dimension> Dimensions { get; }

    /// <summary>Whether a dimension counts, given the values of those before it.</summary>
    public bool IsActive(int dimension, IReadOnlyList<double?> values) =>
        _conditions[dimension].All(c => values[c.Parent] is { } value && c.Allowed[(int)value]);

    /// <summary>A setting, dimension by dimension.</summary>
    /// <param name="pick">Gives the value of a dimension that counts.</param>
    public Setting Fill(Func<int, double> pick)
    {
        var values = new double?[Dimensions.Count];
        for (int d = 0; d < values.Length; d++)
        {
            values[d] = IsActive(d, values) ? pick(d) : null;
        }

        return new Setting(values);
    }

    /// <summary>The run spec of a trial: the base with this setting's values in it. A field that does not count stays as the base has it.</summary>
    public JsonObject Apply(JsonElement spec, Setting setting)
    {
        var made = JsonObject.Create(spec.Clone()) ?? [];
        foreach (var (d, dimension) in Dimensions.Index())
        {
            if (setting.Values[d] is not { } value)
            {
                continue;
            }

            var at = made;
            string[] parts = dimension.Path.Split('.');
            foreach (string part in parts[..^1])
            {
                if (at[part] is not JsonObject section)
                {
                    at[part] = section = [];
                }

                at = section;
            }

            at[parts[^1]] = JsonValue.Create(dimension.Json(value));
        }

        return made;
    }

    /// <summary>A setting as JSON: the fields that count with their values.</summary>
    public JsonObject Write(Setting setting) => new(
        Dimensions.Index().Where(d => setting.Values[d.Index] is not null).Select(d => KeyValuePair.Create(d.Item.Path, (JsonNode?)JsonValue.Create(d.Item.Json(setting.Values[d.Index]!.Value)))));

    /// <summary>What <see cref="Write"/> wrote.</summary>
    public Setting Read(JsonElement written) => new(
        [.. Dimensions.Select(d => !written.TryGetProperty(d.Path, out var value) ? (double?)null : d.IsChoice ? IndexOf(d, value) : value.GetDouble())]);

    /// <summary>A setting in words: the last parts of the fields with their values.</summary>
    public string Show(Setting setting) =>
        string.Join(", ", Dimensions.Index().Where(d => setting.Values[d.Index] is not null).Select(d => $"{d.Item.Name} {d.Item.Show(setting.Values[d.Index]!.Value)}"));

    /// <summary>Where a value is among a dimension's choices; -1 = it is none of them.</summary>
    internal static int IndexOf(Dimension dimension, JsonElement value) => dimension.Choices.Index().FirstOrDefault(c => JsonElement.DeepEquals(c.Item, value), (-1, default)).Item1;

    /// <summary>Fields that wait for each other in a circle; empty = every field can come behind those that it hangs on.</summary>
    internal static IReadOnlyList<string> Circle(IEnumerable<Dimension> dimensions)
    {
        var left = dimensions.ToList();
        while (left.FirstOrDefault(d => d.When.All(c => left.All(l => l.Path != c.Path))) is { } free)
        {
            left.Remove(free);
        }

        return [.. left.Select(d => d.Path)];
    }

    private static List<Dimension> Ordered(List<Dimension> left)
    {
        var ordered = new List<Dimension>();
        while (left.Count > 0)
        {
            var next = left.FirstOrDefault(d => d.When.All(c => ordered.Any(o => o.Path == c.Path)))
                ?? throw new ArgumentException($"{left[0].Path} hangs on a field that is not there before it");
            ordered.Add(next);
            left.Remove(next);
        }

        return ordered;
    }

    private static bool[] Allowed(Dimension parent, Condition condition) => [.. parent.Choices.Select(c => condition.Values.Any(v => JsonElement.DeepEquals(c, v)))];
}
