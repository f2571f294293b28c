using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training.Commands;

/// <summary>A model named on the command line: <c>FAMILY SIZE --set field=value</c>, checked as a run's <c>model:</c> is.</summary>
internal static class ModelOverrides
{
    public const string Option = "--set";

    /// <exception cref="BadInputException">Family, size or a field is wrong; every error in one sentence.</exception>
    public static ModelPlan Plan(string family, string size, IReadOnlyList<string> settings)
    {
        var errors = new List<FieldError>();
        return Families.Plan(new ModelSpec { Family = family, Size = size, Overrides = Parse(family, settings) }, errors)
            ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
    }

    /// <summary>Settings as JSON values: numbers, flags and JSON as they are, other words as text; lists may be written <c>a,b,c</c>.</summary>
    /// <exception cref="BadInputException">A setting has no name or no value.</exception>
    public static Dictionary<string, JsonElement> Parse(string family, IReadOnlyList<string> settings)
    {
        var fields = Families.Find(family)?.Fields ?? [];
        var overrides = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (string setting in settings)
        {
            int equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == setting.Length - 1)
            {
                throw new BadInputException($"{Option} is {setting}. Allowed: field=value.");
            }

            string name = setting[..equals], value = setting[(equals + 1)..];
            bool list = fields.FirstOrDefault(f => f.Name == name)?.Kind is ModelFieldKind.IntegerList or ModelFieldKind.ChoiceList;
            overrides[name] = list && !value.StartsWith('[')
                ? JsonSerializer.SerializeToElement(value.Split(',').Select(Value))
                : Value(value);
        }

        return overrides;
    }

    private static JsonElement Value(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(text);
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(text);
        }
    }
}
