using System.Globalization;
using System.Text;

namespace Hearth.Coordinator.Database;

/// <summary>Text from outside as PostgreSQL can hold it, and no longer than somebody would read. Pure.</summary>
public static class StoredText
{
    private const char Replacement = '\uFFFD';

    /// <summary>NUL and halves of surrogate pairs become the replacement character, as a decoder would write it.</summary>
    public static string Of(string text) => NeedsMending(text)
        ? string.Concat(text.EnumerateRunes().Select(rune => rune.Value == 0 ? Replacement.ToString() : rune.ToString()))
        : text;

    /// <summary>As the other, and cut; null stays null.</summary>
    /// <param name="text">As it came.</param>
    /// <param name="most">Characters that stay; an ellipsis stands for the rest.</param>
    public static string? Of(string? text, int most)
    {
        if (text is null || text.Length <= most)
        {
            return text is null ? null : Of(text);
        }

        // Not between the halves of a pair.
        return Of(text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)]) + "…";
    }

    /// <summary>A JSON text whose strings hold no NUL and no half of a surrogate pair, escaped or not.</summary>
    public static string OfJson(string json)
    {
        json = Of(json);
        if (!json.Contains(@"\u", StringComparison.Ordinal))
        {
            return json;
        }

        var mended = new StringBuilder(json.Length);
        for (int i = 0; i < json.Length;)
        {
            int length = json[i] != '\\' ? 1 : Escaped(json, i) is null ? 2 : 6;
            int? unit = length == 6 ? Escaped(json, i) : null;
            if (unit is { } high && char.IsHighSurrogate((char)high) && Escaped(json, i + 6) is { } low && char.IsLowSurrogate((char)low))
            {
                length = 12;
            }
            else if (unit is { } alone && (alone == 0 || char.IsSurrogate((char)alone)))
            {
                mended.Append(Replacement);
                i += length;
                continue;
            }

            mended.Append(json, i, Math.Min(length, json.Length - i));
            i += length;
        }

        return mended.ToString();
    }

    private static bool NeedsMending(string text) => text.AsSpan().Contains('\0') || text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0;

    // The UTF-16 unit that is escaped here; null where none is.
    private static int? Escaped(string json, int at) =>
        at + 6 <= json.Length && json[at] == '\\' && json[at + 1] == 'u' && int.TryParse(json.AsSpan(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int unit) ? unit : null;
}
