using System.Text;

namespace Hearth.Coordinator.Database;

/// <summary>Text from outside as PostgreSQL can hold it, and no longer than somebody would read.</summary>
public static class StoredText
{
    private const char Replacement = '\uFFFD';

    /// <summary>NUL and halves of surrogate pairs become the replacement character, as a decoder would write it; null stays null.</summary>
    /// <param name="text">As it came.</param>
    /// <param name="most">Characters that stay; an ellipsis stands for the rest.</param>
    public static string? Of(string? text, int most)
    {
        if (text is null)
        {
            return null;
        }

        var kept = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (kept.Length >= most)
            {
                return kept.Append('…').ToString();
            }

            kept.Append(rune.Value == 0 ? Replacement.ToString() : rune.ToString());
        }

        return kept.ToString();
    }
}
