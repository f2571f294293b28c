using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hearth.Runs;

/// <summary>JSON values of a spec's fields: which a field takes, how one is written down, how one is shown. Pure.</summary>
internal static class FieldValues
{
    // Whole numbers up to here are the same as a double.
    private const double LargestExact = 1L << 53;

    /// <summary>The value as its field takes it, a whole number that was written as 1e2 as 100; null = it takes another.</summary>
    public static JsonNode? Read(FieldRule rule, JsonElement value)
    {
        if (rule.Kind == FieldKind.Integer)
        {
            return Whole(value) is { } whole && whole >= rule.Min && whole <= rule.Max ? JsonValue.Create(whole) : null;
        }

        return Accepts(rule, value) ? Node(value) : null;
    }

    /// <summary>A copy that can be changed.</summary>
    public static JsonNode? Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(value.Clone()),
        JsonValueKind.Array => JsonArray.Create(value.Clone()),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(value.Clone()),
    };

    /// <summary>For messages.</summary>
    public static string Show(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Text(value) ?? "a text with broken characters",
        JsonValueKind.Number when value.TryGetDouble(out double number) => Words.Number(number),
        _ => value.GetRawText() is { Length: > 60 } text ? text[..60] + "…" : value.GetRawText(),
    };

    private static bool Accepts(FieldRule rule, JsonElement value) => rule.Kind switch
    {
        FieldKind.Text => Text(value) is { } text && (!rule.Required || text.Length > 0) && text.Length <= rule.Longest && !text.Any(IsUnreadable),
        FieldKind.Choice => Text(value) is { } word && rule.Choices!.Contains(word),
        FieldKind.Number => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number >= rule.Min && number <= rule.Max,
        FieldKind.Flag => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        FieldKind.Stages => LengthCurriculum.Read(value) is not null,
        FieldKind.TextList => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() <= FieldRule.MostWords
            && value.EnumerateArray().All(v => Text(v) is { Length: > 0 and <= FieldRule.LongestWord } word && !word.Any(char.IsControl)),
        _ => false,
    };

    // Lines and tabs are text; other control characters no page can show, and NUL no database can hold.
    private static bool IsUnreadable(char letter) => char.IsControl(letter) && letter is not ('\n' or '\r' or '\t');

    private static long? Whole(JsonElement value) => value.ValueKind != JsonValueKind.Number ? null
        : value.TryGetInt64(out long whole) ? whole
        : value.TryGetDouble(out double number) && number == Math.Floor(number) && Math.Abs(number) <= LargestExact ? (long)number
        : null;

    private static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair: the reader has no other way to say so.
            return null;
        }
    }
}
