using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>A model family: sizes, fields, and the way from both to a plan.</summary>
public interface IFamily
{
    string Name { get; }
    string Title { get; }
    string Summary { get; }
    IReadOnlyList<string> Sizes { get; }
    IReadOnlyList<ModelField> Fields { get; }

    /// <summary>Other names of sizes, as published checkpoints have them.</summary>
    IReadOnlyDictionary<string, string> SizeAliases => new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// Short field names of parity cases and what <see cref="Fields"/> calls them; an empty name is a field that nothing
    /// selectable reads.
    /// </summary>
    IReadOnlyDictionary<string, string> CaseNames { get; }

    /// <summary>Short words that parity cases have in lists, and the words of <see cref="Fields"/>.</summary>
    IReadOnlyDictionary<string, string> CaseWords => ImmutableDictionary<string, string>.Empty;

    /// <summary>Fields that a case leaves out and that have another value there than in a run.</summary>
    IReadOnlyDictionary<string, JsonElement> CaseDefaults => ImmutableDictionary<string, JsonElement>.Empty;

    /// <summary>Changes of a case's config under which it holds more results, by the name in front of them: <c>expect.NAME.logits</c>.</summary>
    IReadOnlyDictionary<string, IReadOnlyDictionary<string, JsonElement>> CaseVariants =>
        ImmutableDictionary<string, IReadOnlyDictionary<string, JsonElement>>.Empty;

    /// <summary>The run that the family's page recommends for a size: a whole spec but for its dataset, whose name is empty.</summary>
    RunSpec Recipe(string size);

    /// <summary>The plan of a size with overrides; null when <paramref name="errors"/> got any.</summary>
    ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors);
}

public enum ModelFieldKind
{
    Integer,
    Number,
    Flag,
    Choice,
    IntegerList,
    ChoiceList,
}

/// <summary>A field that may stand under <c>model:</c>.</summary>
public sealed record ModelField(string Name, ModelFieldKind Kind, string Help, double Min = 0, double Max = double.PositiveInfinity, IReadOnlyList<string>? Choices = null)
{
    public string Allowed => Kind switch
    {
        ModelFieldKind.Choice => string.Join(", ", Choices!),
        ModelFieldKind.Flag => "true, false",
        ModelFieldKind.IntegerList => $"a list of whole numbers, {Words.Number(Min)} to {Words.Number(Max)}",
        ModelFieldKind.ChoiceList => $"a list of {string.Join(", ", Choices!)}",
        _ => double.IsInfinity(Max) ? $"at least {Words.Number(Min)}" : $"{Words.Number(Min)} to {Words.Number(Max)}",
    };

    /// <summary>Whether a JSON value is one of this field's.</summary>
    public bool Accepts(JsonElement value) => Kind switch
    {
        ModelFieldKind.Flag => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        ModelFieldKind.Choice => value.ValueKind == JsonValueKind.String && Choices!.Contains(value.GetString()),
        ModelFieldKind.Integer => AcceptsInteger(value),
        ModelFieldKind.IntegerList => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(AcceptsInteger),
        ModelFieldKind.ChoiceList => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String && Choices!.Contains(v.GetString())),
        _ => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= Min && number <= Max,
    };

    private bool AcceptsInteger(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int whole) && whole >= Min && whole <= Max;

    /// <summary>A size's config with overrides in it, as JSON; null when an override is no field or not one of its values.</summary>
    public static JsonObject? Merge<TConfig>(IReadOnlyList<ModelField> fields, TConfig preset, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        int before = errors.Count;
        Check(fields, overrides, errors);
        if (errors.Count > before)
        {
            return null;
        }

        var json = JsonSerializer.SerializeToNode(preset, Json.Wire)!.AsObject();
        foreach (var (name, value) in overrides)
        {
            json[name] = JsonNode.Parse(value.GetRawText());
        }

        return json;
    }

    /// <summary>Adds an error unless the field <paramref name="small"/> divides the field <paramref name="large"/>.</summary>
    public static void Divides(int divisor, int whole, string small, string large, IList<FieldError> errors)
    {
        if (whole % divisor != 0)
        {
            errors.Add(new FieldError($"model.{small}", $"{divisor}", $"a divisor of {whole}", $"model.{small} {divisor} does not divide model.{large} {whole}."));
        }
    }

    /// <summary>Checks every override against a family's fields.</summary>
    private static void Check(IReadOnlyList<ModelField> fields, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        foreach (var (name, value) in overrides)
        {
            string shown = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
            var field = fields.FirstOrDefault(f => f.Name == name);
            if (field is null)
            {
                string? near = Words.Nearest(name, fields.Select(f => f.Name));
                errors.Add(new FieldError($"model.{name}", shown, near ?? "", $"No field is called model.{name}.{(near is null ? "" : $" Nearest: model.{near}.")}"));
            }
            else if (!field.Accepts(value))
            {
                errors.Add(new FieldError($"model.{name}", shown, field.Allowed, $"model.{name} is {shown}. Allowed: {field.Allowed}."));
            }
        }
    }
}
