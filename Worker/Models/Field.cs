using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>Makes a config's property a field that may stand under <c>model:</c>, with its help and what it may be.</summary>
/// <remarks>The property gives the rest: its name in snake_case the field's name, its type the field's kind, its value in a size the default.</remarks>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FieldAttribute : Attribute
{
    /// <summary>A flag.</summary>
    public FieldAttribute(string help) => Help = help;

    /// <summary>A number, or a list of whole ones, each within bounds that belong to the range.</summary>
    public FieldAttribute(string help, double min, double max)
        : this(help) => (Min, Max) = (min, max);

    /// <summary>A word, or a list of words, each one of these.</summary>
    public FieldAttribute(string help, params string[] choices)
        : this(help) => Choices = choices;

    public string Help { get; }
    public double Min { get; }
    public double Max { get; } = double.PositiveInfinity;
    public IReadOnlyList<string>? Choices { get; }
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
public sealed record ModelField(string Name, ModelFieldKind Kind, string Help, double Min, double Max, IReadOnlyList<string>? Choices)
{
    public string Allowed => Kind switch
    {
        ModelFieldKind.Choice => string.Join(", ", Choices!),
        ModelFieldKind.Flag => "true, false",
        ModelFieldKind.IntegerList => $"a list of whole numbers, {Words.Number(Min)} to {Words.Number(Max)}",
        ModelFieldKind.ChoiceList => $"a list of {string.Join(", ", Choices!)}",
        _ => $"{Words.Number(Min)} to {Words.Number(Max)}",
    };

    /// <summary>Whether a JSON value is one of this field's.</summary>
    public bool Accepts(JsonElement value) => Kind switch
    {
        ModelFieldKind.Flag => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        ModelFieldKind.Choice => AcceptsWord(value),
        ModelFieldKind.Integer => AcceptsInteger(value),
        ModelFieldKind.IntegerList => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(AcceptsInteger),
        ModelFieldKind.ChoiceList => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(AcceptsWord),
        _ => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= Min && number <= Max,
    };

    private bool AcceptsWord(JsonElement value) => value.ValueKind == JsonValueKind.String && Choices!.Contains(value.GetString());

    private bool AcceptsInteger(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int whole) && whole >= Min && whole <= Max;
}
