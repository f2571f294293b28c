namespace Hearth.Tests;

/// <summary>What <c>PairCounts</c> means: every pair of every word is counted anew each time.</summary>
internal sealed class NaivePairCounts(IEnumerable<(int[] Symbols, long Count)> words, Func<int, int, long> weight)
{
    private readonly List<(List<int> Symbols, long Count)> _words = [.. words.Select(w => (w.Symbols.ToList(), w.Count))];

    /// <summary>The pair of most worth that none of <paramref name="left"/> is, ties to the pair whose ids come first; null when none is left.</summary>
    internal (int Left, int Right)? Best(IReadOnlySet<(int, int)> left)
    {
        var counts = new Dictionary<(int Left, int Right), long>();
        foreach (var (symbols, count) in _words)
        {
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                var pair = (symbols[i], symbols[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + count;
            }
        }

        return counts.Where(c => !left.Contains(c.Key))
            .Select(c => (c.Key, Worth: c.Value * weight(c.Key.Left, c.Key.Right))).Where(c => c.Worth > 0)
            .OrderByDescending(c => c.Worth).ThenBy(c => c.Key).Select(c => ((int, int)?)c.Key).FirstOrDefault();
    }

    internal void Merge((int Left, int Right) pair, int symbol)
    {
        foreach (var (symbols, _) in _words)
        {
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (symbols[i] == pair.Left && symbols[i + 1] == pair.Right)
                {
                    symbols[i] = symbol;
                    symbols.RemoveAt(i + 1);
                }
            }
        }
    }
}
