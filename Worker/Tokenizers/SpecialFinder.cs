namespace Hearth.Tokenizers;

/// <summary>Cuts text at the special tokens that are written in it: the leftmost first, the longest where several start there.</summary>
internal sealed class SpecialFinder
{
    private readonly string[] _tokens;
    private readonly System.Buffers.SearchValues<char> _starts;

    internal SpecialFinder(IEnumerable<string> tokens)
    {
        _tokens = [.. tokens.Where(t => t.Length > 0).OrderByDescending(t => t.Length).ThenBy(t => t, StringComparer.Ordinal)];
        _starts = System.Buffers.SearchValues.Create([.. _tokens.Select(t => t[0]).Distinct()]);
    }

    /// <summary>Stretches of plain text, without empty ones, and the tokens between them.</summary>
    internal IEnumerable<(int Start, int Length, string? Token)> Split(string text)
    {
        int start = 0;
        for (int at = Next(text, 0); at < text.Length; at = Next(text, at))
        {
            string? token = Array.Find(_tokens, t => string.CompareOrdinal(text, at, t, 0, t.Length) == 0);
            if (token is null)
            {
                at++;
                continue;
            }

            if (at > start)
            {
                yield return (start, at - start, null);
            }

            yield return (at, token.Length, token);
            at += token.Length;
            start = at;
        }

        if (start < text.Length)
        {
            yield return (start, text.Length - start, null);
        }
    }

    private int Next(string text, int start)
    {
        int at = text.AsSpan(start).IndexOfAny(_starts);
        return at < 0 ? text.Length : start + at;
    }
}
