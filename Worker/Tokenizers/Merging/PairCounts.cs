using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hearth.Tokenizers;

/// <summary>
/// Adjacent pairs of symbols in counted words, by worth, which is count × weight; ties go to the pair whose ids come first.
/// All words lie in one row of symbols, linked within a word, and the places of a pair are linked too: a merge touches its own
/// places and their neighbours, however long the words are. A heap entry that is out of date goes back with the right worth.
/// </summary>
/// <param name="weight">Worth of one occurrence of a pair; 0 for a pair that must not be merged.</param>
internal sealed class PairCounts(Func<int, int, long> weight)
{
    private const int Gone = -1;
    private const int None = -1;
    private const int Often = 1 << 14;
    private readonly List<long> _wordCounts = [];
    private readonly Dictionary<SymbolPair, Places> _pairs = [];
    private readonly PriorityQueue<SymbolPair, (long Minus, int Left, int Right)> _heap = new();
    private readonly List<SymbolPair> _grown = [];
    private readonly List<int> _due = [];
    private readonly List<int> _symbols = [];
    private readonly List<int> _words = [];
    private Link[] _links = [];
    private int _merges;

    /// <summary>Takes a word that occurs <paramref name="count"/> times; all words come before the first pair is taken.</summary>
    /// <exception cref="TokenizerException">The different words have too many symbols together; says how many are allowed.</exception>
    internal void Add(ReadOnlySpan<int> symbols, long count)
    {
        if (symbols.Length < 2)
        {
            return;
        }

        if (symbols.Length > Array.MaxLength - _symbols.Count)
        {
            throw new TokenizerException($"The different words of the training text have {(long)_symbols.Count + symbols.Length} symbols together. Allowed: at most {Array.MaxLength}.");
        }

        _symbols.AddRange(symbols);
        CollectionsMarshal.SetCount(_words, _symbols.Count);
        CollectionsMarshal.AsSpan(_words)[^symbols.Length..].Fill(_wordCounts.Count);
        _wordCounts.Add(count);
    }

    /// <summary>Counts the pairs of all words.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal void Count(LongStep step = default)
    {
        _links = new Link[_symbols.Count];
        for (int at = 0; at < _links.Length; at++)
        {
            bool first = at == 0 || _words[at - 1] != _words[at], last = at + 1 == _links.Length || _words[at + 1] != _words[at];
            _links[at] = new Link { Next = last ? None : at + 1, Previous = first ? None : at - 1 };
            if (!last)
            {
                Enter(at, new SymbolPair(_symbols[at], _symbols[at + 1]));
            }

            if (at % Often == 0)
            {
                step.At(at / (double)_links.Length);
            }
        }

        QueueGrown();
    }

    /// <summary>The pair of most worth; null when none is left.</summary>
    internal SymbolPair? TakeBest()
    {
        while (_heap.TryDequeue(out var pair, out var priority))
        {
            if (Worth(pair) == -priority.Minus)
            {
                return pair;
            }

            Queue(pair);
        }

        return null;
    }

    /// <summary>Replaces every occurrence of a pair, from the left, by a symbol.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal void Merge(SymbolPair pair, int symbol, CancellationToken stop = default)
    {
        _merges++;
        GatherDue(pair);
        var symbols = CollectionsMarshal.AsSpan(_symbols);
        for (int i = 0; i < _due.Count; i++)
        {
            if (i % Often == 0)
            {
                stop.ThrowIfCancellationRequested();
            }

            // Of two occurrences that overlap, the left one has taken the right one's first symbol.
            int left = _due[i], right = _links[left].Next;
            if (symbols[left] != pair.Left || right == None || symbols[right] != pair.Right)
            {
                continue;
            }

            int before = _links[left].Previous, after = _links[right].Next;
            if (before != None)
            {
                Leave(before, new SymbolPair(symbols[before], pair.Left));
            }

            if (after != None)
            {
                Leave(right, new SymbolPair(pair.Right, symbols[after]));
                _links[after].Previous = left;
            }

            (symbols[left], symbols[right], _links[left].Next) = (symbol, Gone, after);
            if (before != None)
            {
                Enter(before, new SymbolPair(symbols[before], symbol));
            }

            if (after != None)
            {
                Enter(left, new SymbolPair(symbol, symbols[after]));
            }
        }

        QueueGrown();
    }

    // The pair's places; in ascending order where it can overlap itself.
    private void GatherDue(SymbolPair pair)
    {
        _due.Clear();
        bool ascending = true;
        if (_pairs.Remove(pair, out var places))
        {
            for (int at = places.First; at != None; at = _links[at].NextPlace)
            {
                ascending &= _due.Count == 0 || _due[^1] < at;
                _due.Add(at);
            }
        }

        if (!ascending && pair.Left == pair.Right)
        {
            _due.Sort();
        }
    }

    private void Enter(int at, SymbolPair pair)
    {
        ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(_pairs, pair, out bool known);
        if (!known)
        {
            places = new Places { First = None, Last = None, GrownAt = None };
        }

        (_links[at].PreviousPlace, _links[at].NextPlace) = (places.Last, None);
        if (places.Last == None)
        {
            places.First = at;
        }
        else
        {
            _links[places.Last].NextPlace = at;
        }

        places.Last = at;
        places.Count += _wordCounts[_words[at]];
        if (places.GrownAt != _merges)
        {
            places.GrownAt = _merges;
            _grown.Add(pair);
        }
    }

    private void Leave(int at, SymbolPair pair)
    {
        ref var places = ref CollectionsMarshal.GetValueRefOrNullRef(_pairs, pair);
        if (Unsafe.IsNullRef(ref places))
        {
            // The pair that is being merged overlaps itself here, and its places are no longer kept.
            return;
        }

        places.Count -= _wordCounts[_words[at]];
        var (previous, next) = (_links[at].PreviousPlace, _links[at].NextPlace);
        if (previous == None)
        {
            places.First = next;
        }
        else
        {
            _links[previous].NextPlace = next;
        }

        if (next == None)
        {
            places.Last = previous;
        }
        else
        {
            _links[next].PreviousPlace = previous;
        }

        // One that this merge made may come again at the next place; whether it is worth anything is seen at the end.
        if (places.First == None && places.GrownAt != _merges)
        {
            _pairs.Remove(pair);
        }
    }

    private void QueueGrown()
    {
        foreach (var pair in _grown)
        {
            if (_pairs[pair].First == None)
            {
                _pairs.Remove(pair);
            }
            else
            {
                Queue(pair);
            }
        }

        _grown.Clear();
    }

    private void Queue(SymbolPair pair)
    {
        if (Worth(pair) is > 0 and var worth)
        {
            _heap.Enqueue(pair, (-worth, pair.Left, pair.Right));
        }
    }

    private long Worth(SymbolPair pair) => _pairs.TryGetValue(pair, out var places) ? places.Count * weight(pair.Left, pair.Right) : 0;

    // A symbol's neighbours in its word, and its pair's neighbours among the places of equal pairs.
    private struct Link
    {
        internal int Next;
        internal int Previous;
        internal int NextPlace;
        internal int PreviousPlace;
    }

    private struct Places
    {
        internal long Count;
        internal int First;
        internal int Last;
        internal int GrownAt;
    }
}
