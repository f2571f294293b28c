using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hearth.Data;

/// <summary>
/// What a JSON line says of its document beside the text: the class of the decision that a model makes on it, and the token at which
/// it does.
/// </summary>
/// <param name="DecisionPos">Index among the document's tokens, −1 = no decision; null = the last token of its row.</param>
/// <param name="DecisionLabel">Class, 0 to 3; null = no decision.</param>
public readonly record struct RowMetadata(int? DecisionPos, int? DecisionLabel)
{
    /// <summary>Classes of a decision.</summary>
    public const int Classes = 4;
    private const string Pos = "decision_pos";
    private const string Label = "decision_label";

    /// <summary>True where the line says nothing.</summary>
    [JsonIgnore]
    public bool IsEmpty => DecisionPos is null && DecisionLabel is null;

    /// <summary>True where the document has a class at one of its tokens.</summary>
    [JsonIgnore]
    public bool Decides => DecisionLabel is not null && DecisionPos is not < 0;

    /// <summary>Reads a line's object; other fields are not ours.</summary>
    /// <param name="line">An object.</param>
    /// <param name="metadata">What it says.</param>
    /// <returns>Null, or what is wrong: field, value and what is allowed.</returns>
    public static string? Read(JsonElement line, out RowMetadata metadata)
    {
        string? error = null;
        metadata = new RowMetadata(
            Field(Pos, -1, int.MaxValue, "-1, or the index of a token"),
            Field(Label, 0, Classes - 1, $"0 to {Classes - 1}"));
        return error;

        int? Field(string name, int least, int most, string allowed)
        {
            if (!line.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            {
                return null;
            }

            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most)
            {
                return number;
            }

            error ??= $"its {name} is {value.GetRawText()}. Allowed: {allowed}";
            return null;
        }
    }

    /// <summary>Writes the fields that are there into an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (DecisionPos is { } pos)
        {
            json.WriteNumber(Pos, pos);
        }

        if (DecisionLabel is { } label)
        {
            json.WriteNumber(Label, label);
        }
    }

    /// <summary>The object as one line, <c>{}</c> where it says nothing.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json.Wire);
}
