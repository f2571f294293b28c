using System.Text;
using Hearth.Runs;

namespace Hearth.Coordinator.Hosting;

/// <summary>What a text from outside must be where it is stored and shown as it is. Pure.</summary>
public static class TextRules
{
    /// <summary>The error of a short text: too long, or with characters that no name has.</summary>
    public static FieldError? Name(string field, string? text, int longest)
    {
        string allowed = $"at most {longest} characters, none of them a control character";
        return text is null ? FieldError.Of(field, "null", allowed)
            : text.Length > longest ? FieldError.Of(field, $"{Words.Number(text.Length)} characters long", allowed)
            : text.Any(char.IsControl) || text.EnumerateRunes().Contains(Rune.ReplacementChar) ? FieldError.Of(field, "a text with control characters or broken ones", allowed)
            : null;
    }
}
