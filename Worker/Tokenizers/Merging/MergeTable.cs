namespace Hearth.Tokenizers;

/// <summary>
/// Which pairs of symbols merge, and in which order. Applied to n symbols in O(n log n): the symbols are a list linked by
/// places, and a heap holds the places at which a pair merges; an entry that is out of date is recognised when it is taken.
/// </summary>
internal sealed class MergeTable
{
    private const int Gone = int.MinValue;
    private const int Often = 1 << 14;
    private readonly Dictionary<SymbolPair, (int Rank, int Symbol)> _merges = [];

    internal int Count => _merges.Count;

    /// <param name="pair">Symbols from 0; negative ones never merge.</param>
    /// <param name="rank">From 0; equal ones go by place.</param>
    /// <param name="symbol">What the pair becomes.</param>
    /// <returns>False where the pair has a merge already, which stays.</returns>
    internal bool TryAdd(SymbolPair pair, int rank, int symbol) => _merges.TryAdd(pair, (rank, symbol));

    /// <summary>Applies the merge of lowest rank that is left, leftmost first, until none is left.</summary>
    /// <param name="symbols">Changed: what a place begins with in the end.</param>
    /// <param name="found">Hears of each pair that could merge, when it comes to be, and what it would become.</param>
    /// <param name="step">Hears of progress.</param>
    /// <returns>For each place that still begins a symbol, from 0 on, the next such place; −1 for none.</returns>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal int[] Apply(int[] symbols, Action<SymbolPair, int>? found = null, LongStep step = default)
    {
        int[] next = new int[symbols.Length], previous = new int[symbols.Length];
        for (int i = 0; i < symbols.Length; i++)
        {
            (next[i], previous[i]) = (i + 1 < symbols.Length ? i + 1 : -1, i - 1);
        }

        var heap = new MergeHeap(symbols.Length);
        for (int i = 0; i + 1 < symbols.Length; i++)
        {
            if (At(i, out var merge))
            {
                found?.Invoke(new SymbolPair(symbols[i], symbols[i + 1]), merge.Symbol);
                heap.Append(merge.Rank, i);
            }

            if (i % Often == 0)
            {
                step.At(0);
            }
        }

        heap.Order();
        for (int taken = 0, merged = 0; heap.TryTake(out int rank, out int left); taken++)
        {
            if (taken % Often == 0)
            {
                step.At(merged / (double)symbols.Length);
            }

            // A merge that went first may have taken either side, or made it longer.
            if (symbols[left] == Gone || !At(left, out var merge) || merge.Rank != rank)
            {
                continue;
            }

            int right = next[left], after = next[right];
            (symbols[left], symbols[right], next[left]) = (merge.Symbol, Gone, after);
            if (after >= 0)
            {
                previous[after] = left;
            }

            merged++;
            Consider(previous[left]);
            Consider(left);
        }

        return next;

        bool At(int left, out (int Rank, int Symbol) merge)
        {
            merge = default;
            return left >= 0 && next[left] >= 0 && _merges.TryGetValue(new SymbolPair(symbols[left], symbols[next[left]]), out merge);
        }

        void Consider(int left)
        {
            if (At(left, out var merge))
            {
                found?.Invoke(new SymbolPair(symbols[left], symbols[next[left]]), merge.Symbol);
                heap.Add(merge.Rank, left);
            }
        }
    }
}
