using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>A JSON object as a document, or what is wrong with it. Pure.</summary>
public static class RowReader
{
    private const int Shown = 60;

    /// <param name="name">File and line.</param>
    /// <param name="json">One object in UTF-8.</param>
    public static SourceRow Read(string name, ReadOnlyMemory<byte> json)
    {
        if (!Utf8.IsValid(json.Span))
        {
            return SourceRow.Wrong(name, BadRowKind.NotUtf8, Beginning(json.Span));
        }

        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? Read(name, document.RootElement, json.Span)
                : SourceRow.Wrong(name, BadRowKind.NotJson, Beginning(json.Span));
        }
        catch (JsonException)
        {
            return SourceRow.Wrong(name, BadRowKind.NotJson, Beginning(json.Span));
        }
    }

    private static SourceRow Read(string name, JsonElement row, ReadOnlySpan<byte> json)
    {
        IReadOnlyList<ChatTurn>? turns = null;
        string text = "";
        if (ChatRow.Is(row))
        {
            if (ChatRow.Read(row, out turns) is { } wrongTurn)
            {
                return SourceRow.Wrong(name, HasLoneSurrogate(json) ? BadRowKind.LoneSurrogate : BadRowKind.WrongField, wrongTurn);
            }
        }
        else
        {
            if (!row.TryGetProperty("text", out var value) || value.ValueKind != JsonValueKind.String)
            {
                return SourceRow.Wrong(name, BadRowKind.NoText, Beginning(json));
            }

            if (TextOf(value) is not { } given)
            {
                return SourceRow.Wrong(name, BadRowKind.LoneSurrogate, Beginning(json));
            }

            text = given;
            if (string.IsNullOrWhiteSpace(text))
            {
                return SourceRow.Wrong(name, BadRowKind.Empty);
            }
        }

        if (text.Contains('\0', StringComparison.Ordinal) || (turns?.Any(t => t.Content.Contains('\0', StringComparison.Ordinal)) ?? false))
        {
            return SourceRow.Wrong(name, BadRowKind.Nul, Beginning(json));
        }

        return RowMetadata.Read(row, out var metadata) is { } wrong
            ? SourceRow.Wrong(name, BadRowKind.WrongField, wrong)
            : SourceRow.Of(new SourceDocument(name, text.AsMemory(), metadata, turns));
    }

    // What is valid UTF-8 and yet no text has half of a surrogate pair, escaped.
    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Whether JSON text has an escaped surrogate without its other half.</summary>
    internal static bool HasLoneSurrogate(ReadOnlySpan<byte> json)
    {
        bool high = false;
        for (int i = 0; i < json.Length; i++)
        {
            char unit = '\0';
            if (json[i] == '\\' && ++i < json.Length && json[i] == 'u' && i + 4 < json.Length && ushort.TryParse(json.Slice(i + 1, 4), System.Globalization.NumberStyles.HexNumber, null, out ushort code))
            {
                (unit, i) = ((char)code, i + 4);
            }

            if (high != char.IsLowSurrogate(unit))
            {
                return true;
            }

            high = char.IsHighSurrogate(unit);
        }

        return high;
    }

    private static string Beginning(ReadOnlySpan<byte> json) => Encoding.UTF8.GetString(json[..Math.Min(json.Length, Shown)]) + (json.Length > Shown ? "…" : "");
}
