namespace Hearth.Tests;

/// <summary>What <c>MergeTable</c> means: the merge of lowest rank, leftmost first, is looked for among all pairs each time.</summary>
internal sealed class NaiveMerges
{
    private readonly Dictionary<(int Left, int Right), (int Rank, int Symbol)> _merges = [];

    internal void Add(int left, int right, int rank, int symbol) => _merges.TryAdd((left, right), (rank, symbol));

    /// <returns>The symbols that are left, and where each starts.</returns>
    internal (List<int> Symbols, List<int> Starts) Apply(IEnumerable<int> text, Action<int, int, int>? found = null)
    {
        List<int> symbols = [.. text];
        List<int> starts = [.. Enumerable.Range(0, symbols.Count)];
        void Find(int at)
        {
            if (at >= 0 && at + 1 < symbols.Count && _merges.TryGetValue((symbols[at], symbols[at + 1]), out var merge))
            {
                found?.Invoke(symbols[at], symbols[at + 1], merge.Symbol);
            }
        }

        for (int i = 0; i < symbols.Count; i++)
        {
            Find(i);
        }

        while (true)
        {
            (int Rank, int Symbol) best = (int.MaxValue, 0);
            int at = -1;
            for (int i = 0; i + 1 < symbols.Count; i++)
            {
                if (_merges.TryGetValue((symbols[i], symbols[i + 1]), out var merge) && merge.Rank < best.Rank)
                {
                    (best, at) = (merge, i);
                }
            }

            if (at < 0)
            {
                return (symbols, starts);
            }

            symbols[at] = best.Symbol;
            symbols.RemoveAt(at + 1);
            starts.RemoveAt(at + 1);
            Find(at - 1);
            Find(at);
        }
    }
}
