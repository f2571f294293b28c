namespace Hearth.Training.Tokenizers;

/// <summary>A word of the training text as symbols, and how often it occurs.</summary>
internal sealed class CountedWord(List<int> ids, long count)
{
    internal List<int> Ids { get; } = ids;
    internal long Count { get; } = count;
}

/// <summary>
/// Adjacent pairs of symbols by worth, which is count × weight; ties go to the pair whose ids come first. Counts are kept with
/// the words that hold a pair, so a merge touches only those. A heap entry that is out of date goes back with the right worth.
/// </summary>
internal sealed class PairCounts
{
    private readonly CountedWord[] _words;
    private readonly Func<int, int, long> _weight;
    private readonly Dictionary<(int Left, int Right), long> _counts = [];
    private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
    private readonly PriorityQueue<(int Left, int Right), (long Minus, int Left, int Right)> _heap = new();

    /// <param name="words">Changed by merges.</param>
    /// <param name="weight">Worth of one occurrence of a pair; 0 for a pair that must not be merged.</param>
    internal PairCounts(CountedWord[] words, Func<int, int, long> weight)
    {
        (_words, _weight) = (words, weight);
        for (int w = 0; w < words.Length; w++)
        {
            Count(w, +1, null);
        }

        foreach (var pair in _counts.Keys)
        {
            Enqueue(pair);
        }
    }

    /// <summary>The pair of most worth; null when none is left.</summary>
    internal (int Left, int Right)? TakeBest()
    {
        while (_heap.TryDequeue(out var pair, out var priority))
        {
            if (Worth(pair) == -priority.Minus)
            {
                return pair;
            }

            Enqueue(pair);
        }

        return null;
    }

    /// <summary>Replaces every occurrence of a pair, from the left, by a symbol.</summary>
    internal void Merge((int Left, int Right) pair, int id)
    {
        var touched = new HashSet<(int, int)>();
        foreach (int w in _places[pair].ToArray())
        {
            Count(w, -1, null);
            var ids = _words[w].Ids;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                if (ids[i] == pair.Left && ids[i + 1] == pair.Right)
                {
                    ids[i] = id;
                    ids.RemoveAt(i + 1);
                }
            }

            Count(w, +1, touched);
        }

        _counts.Remove(pair);
        _places.Remove(pair);
        foreach (var changed in touched)
        {
            if (changed.Item1 == id || changed.Item2 == id)
            {
                Enqueue(changed);
            }
        }
    }

    private long Worth((int Left, int Right) pair) => _counts.GetValueOrDefault(pair) * _weight(pair.Left, pair.Right);

    private void Enqueue((int Left, int Right) pair)
    {
        if (Worth(pair) is > 0 and var worth)
        {
            _heap.Enqueue(pair, (-worth, pair.Left, pair.Right));
        }
    }

    private void Count(int word, int sign, HashSet<(int, int)>? touched)
    {
        var ids = _words[word].Ids;
        for (int i = 0; i + 1 < ids.Count; i++)
        {
            var pair = (ids[i], ids[i + 1]);
            _counts[pair] = _counts.GetValueOrDefault(pair) + (sign * _words[word].Count);
            if (sign > 0)
            {
                (_places.TryGetValue(pair, out var places) ? places : _places[pair] = []).Add(word);
                touched?.Add(pair);
            }
        }
    }
}
