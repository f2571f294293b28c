using System.Text.Json;
using Hearth.Api;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>What the fields of a sweep must be to make a space. Pure; what the run spec says of their values is checked by whoever knows the run.</summary>
public static class SpaceChecks
{
    /// <summary>Fields of a space.</summary>
    public const int MostFields = 32;

    /// <summary>Values of a choice.</summary>
    public const int MostValues = 64;

    private const string Name = "space";

    // The sweep decides how far a trial trains, and names them.
    private static readonly string[] Own = ["name", "train.steps"];
    private static readonly Dictionary<string, FieldRule> Rules = RunSpecFields.All.ToDictionary(r => r.Path, StringComparer.Ordinal);

    /// <returns>The space, or every error in it.</returns>
    public static (SearchSpace? Space, IReadOnlyList<FieldError> Errors) Read(IReadOnlyList<SweepField> fields)
    {
        if (fields.Count is 0 or > MostFields)
        {
            string allowed = $"1 to {MostFields} fields that trials differ in, such as {{field: optimizer.lr, kind: log, min: 0.0001, max: 0.01}}";
            return (null, [fields.Count == 0 ? FieldError.Of(Name, "", allowed, "empty") : FieldError.Of(Name, $"{Words.Number(fields.Count)} fields", allowed)]);
        }

        var errors = new List<FieldError>();
        Dimension[] dimensions = [.. fields.Select(Dimension)];
        foreach (var (i, (field, dimension)) in fields.Zip(dimensions).Index())
        {
            errors.AddRange(Path(i, field, fields));
            errors.AddRange(dimension.IsChoice ? Choice(i, field) : Range(i, field, dimension));
            errors.AddRange(Conditions(i, field, dimensions));
        }

        if (errors.Count == 0 && SearchSpace.Circle(dimensions) is { Count: > 0 } circle)
        {
            errors.Add(new FieldError(Name, string.Join(", ", circle), "conditions that end at a field without one", $"{string.Join(", ", circle)} hang on each other in a circle. Allowed: conditions that end at a field without one."));
        }

        return (errors.Count == 0 ? new SearchSpace(dimensions) : null, errors);
    }

    private static Dimension Dimension(SweepField field) => new()
    {
        Path = field.Field,
        Kind = field.Kind ?? (field.Values is not null ? DimensionKind.Choice
            : field.MultipleOf is not null || (Rules.TryGetValue(field.Field, out var rule) && rule.Kind == FieldKind.Integer) ? DimensionKind.Integer
            : DimensionKind.Number),
        Min = field.Min ?? double.NaN,
        Max = field.Max ?? double.NaN,
        MultipleOf = field.MultipleOf ?? 1,
        Choices = field.Values ?? [],
        When = [.. (field.When ?? []).Select(c => new Condition(c.Field, c.Values))],
    };

    private static IEnumerable<FieldError> Path(int i, SweepField field, IReadOnlyList<SweepField> fields)
    {
        string at = $"{Name}[{i}].field";
        if (Own.Contains(field.Field))
        {
            yield return FieldError.Of(at, field.Field, "a field that is not the sweep's own: it names the runs and decides how far each trains");
        }
        else if (!Rules.ContainsKey(field.Field) && !(field.Field.StartsWith("model.", StringComparison.Ordinal) && field.Field.Length > "model.".Length && field.Field.Count(c => c == '.') == 1))
        {
            string? near = Words.Nearest(field.Field, Rules.Keys);
            yield return FieldError.Of(at, field.Field, $"a field of the run spec{(near is null ? "" : $"; nearest: {near}")}");
        }
        else if (fields.Take(i).Any(f => f.Field == field.Field))
        {
            yield return FieldError.Of(at, field.Field, "each field once");
        }
    }

    private static IEnumerable<FieldError> Choice(int i, SweepField field)
    {
        string at = $"{Name}[{i}].values";
        var values = field.Values ?? [];
        if (values.Count is 0 or > MostValues)
        {
            yield return FieldError.Of(at, values.Count == 0 ? "" : $"{Words.Number(values.Count)} values", $"1 to {MostValues} values", "empty");
        }
        else if (values.Index().FirstOrDefault(v => values.Take(v.Index).Any(earlier => JsonElement.DeepEquals(earlier, v.Item)), (-1, default)) is { Index: >= 0 } twice)
        {
            yield return FieldError.Of(at, twice.Item.ToString(), "each value once");
        }

        if (field.Min is not null || field.Max is not null || field.MultipleOf is not null)
        {
            yield return FieldError.Of($"{Name}[{i}]", $"{field.Field} with values and a range", "values, or min and max");
        }
    }

    private static IEnumerable<FieldError> Range(int i, SweepField field, Dimension dimension)
    {
        bool logs = dimension.Kind is DimensionKind.Log or DimensionKind.LogInteger, whole = dimension.Kind is DimensionKind.Integer or DimensionKind.LogInteger;
        foreach (var (name, value) in new[] { ("min", field.Min), ("max", field.Max) })
        {
            if (value is not { } number || !double.IsFinite(number) || Math.Abs(number) > 1e15 || (logs && number <= 0))
            {
                yield return FieldError.Of($"{Name}[{i}].{name}", value is { } given ? Words.Number(given) : "", logs ? "a number above 0, since its logarithm is what is spread" : "a number");
            }
        }

        if (dimension.Min > dimension.Max)
        {
            yield return FieldError.Of($"{Name}[{i}].min", Words.Number(dimension.Min), $"at most max, {Words.Number(dimension.Max)}");
        }

        if (field.Values is not null)
        {
            yield return FieldError.Of($"{Name}[{i}]", $"{field.Field} with values and a range", "values, or min and max");
        }

        if (field.MultipleOf is { } multiple && (!whole || !(multiple >= 1 && multiple <= 1e9 && multiple == Math.Floor(multiple))))
        {
            yield return FieldError.Of($"{Name}[{i}].multiple_of", Words.Number(multiple), whole ? "a whole number of at least 1" : "nothing, but for kind integer or log_integer");
        }
        else if (whole && dimension.Min <= dimension.Max && dimension.Count == 0)
        {
            yield return FieldError.Of($"{Name}[{i}].multiple_of", Words.Number(dimension.MultipleOf), $"a number of which there is a multiple from {Words.Number(dimension.Min)} to {Words.Number(dimension.Max)}");
        }
    }

    private static IEnumerable<FieldError> Conditions(int i, SweepField field, Dimension[] dimensions)
    {
        foreach (var (c, condition) in (field.When ?? []).Index())
        {
            string at = $"{Name}[{i}].when[{c}]";
            var parent = dimensions.FirstOrDefault(d => d.Path == condition.Field);
            if (condition.Field == field.Field)
            {
                yield return new FieldError($"{at}.field", condition.Field, "another field of the space", $"{field.Field} hangs on itself. Allowed: another field of the space.");
            }
            else if (parent is null || !parent.IsChoice)
            {
                string choices = string.Join(", ", dimensions.Where(d => d.IsChoice && d.Path != field.Field).Select(d => d.Path));
                yield return FieldError.Of($"{at}.field", condition.Field, choices.Length == 0 ? "a field of the space with values; there is none" : choices);
            }
            else if (condition.Values.Count == 0)
            {
                yield return FieldError.Of($"{at}.values", "", $"some of the values of {condition.Field}", "empty");
            }
            else
            {
                foreach (var value in condition.Values.Where(v => SearchSpace.IndexOf(parent, v) < 0))
                {
                    yield return FieldError.Of($"{at}.values", value.ToString(), string.Join(", ", parent.Choices));
                }
            }
        }

    }
}
