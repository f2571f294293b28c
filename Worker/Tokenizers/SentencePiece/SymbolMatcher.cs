using System.Text;

namespace Hearth.Tokenizers;

/// <summary>Finds which of a set of symbols a text starts with, the longest first.</summary>
internal sealed class SymbolMatcher
{
    private readonly byte[][]?[] _byFirst = new byte[256][][];

    internal SymbolMatcher(IEnumerable<string> symbols)
    {
        foreach (var group in symbols.Where(s => s.Length > 0).Select(Encoding.UTF8.GetBytes).GroupBy(s => s[0]))
        {
            _byFirst[group.Key] = [.. group.OrderByDescending(s => s.Length)];
        }
    }

    /// <summary>Bytes of the longest symbol at the start of the text; 0 for none.</summary>
    internal int Longest(ReadOnlySpan<byte> text)
    {
        if (text.Length > 0 && _byFirst[text[0]] is { } candidates)
        {
            foreach (byte[] candidate in candidates)
            {
                if (text.StartsWith(candidate))
                {
                    return candidate.Length;
                }
            }
        }

        return 0;
    }
}
