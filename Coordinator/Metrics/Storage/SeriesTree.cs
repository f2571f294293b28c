namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>
/// One series with points that came after its chunks were written. Compaction grows all levels and stores the chunks that changed; a chart
/// grows the levels up to the one that it is drawn from and stores nothing, so that both see the same. Applying points that a chunk has
/// already changes nothing. Pure: it names the chunks that it needs, and is given those there are.
/// </summary>
/// <param name="stored">Steps of what is in chunks; null when nothing is.</param>
/// <param name="arrived">Points beyond that, in the order of arrival.</param>
internal sealed class SeriesTree(StepRange? stored, IEnumerable<Point> arrived)
{
    private readonly Dictionary<long, IReadOnlyList<Point>> _points = [];
    private readonly Dictionary<(int Level, long Chunk), IReadOnlyList<Bucket>> _buckets = [];
    private readonly HashSet<(int Level, long Chunk)> _changed = [];

    /// <summary>Points beyond the chunks, one a step, ascending.</summary>
    internal IReadOnlyList<Point> Arrived { get; } = Bucketing.Merge(arrived);

    /// <summary>The coarsest level that chunks were written for.</summary>
    internal int Depth { get; } = stored is { } steps ? ChunkGrid.Depth(steps) : 0;

    /// <summary>Steps of chunks and points together; null for a series of nothing.</summary>
    internal StepRange? Steps => Arrived.Count == 0 ? stored
        : new StepRange(Arrived[0].Step, Arrived[^1].Step) is var news && stored is { } old ? old.With(news) : news;

    /// <summary>Chunks that <see cref="Grow"/> has to see, as far as there are such.</summary>
    internal IEnumerable<ChunkRange> Needs(int level)
    {
        for (int l = 0; l <= Math.Min(level, Depth); l++)
        {
            foreach (long chunk in Arrived.Select(p => p.Step / ChunkGrid.Span(l)).Distinct())
            {
                yield return new ChunkRange(l, chunk, chunk);
            }
        }

        // The level above is new, and holds all of the one chunk that there was.
        if (level > Depth && stored is { } steps)
        {
            yield return new ChunkRange(Depth, steps.First / ChunkGrid.Span(Depth), steps.First / ChunkGrid.Span(Depth));
        }
    }

    /// <exception cref="InvalidDataException">The chunk is damaged.</exception>
    internal void Load(int level, long chunk, byte[] data)
    {
        if (level == 0)
        {
            _points.TryAdd(chunk, ChunkCodec.Points(data));
        }
        else
        {
            _buckets.TryAdd((level, chunk), ChunkCodec.Buckets(data));
        }
    }

    /// <summary>Puts the points into their chunks, and makes the buckets above them anew, up to a level.</summary>
    internal void Grow(int level)
    {
        foreach (var news in Arrived.GroupBy(p => p.Step / ChunkGrid.Span(0)))
        {
            _points[news.Key] = Bucketing.Merge(_points.GetValueOrDefault(news.Key, []).Concat(news));
            _changed.Add((0, news.Key));
        }

        for (int l = 1; l <= level && Arrived.Count > 0; l++)
        {
            foreach (var news in BelowOf(l).GroupBy(b => b.FirstStep / ChunkGrid.Span(l)))
            {
                _buckets[(l, news.Key)] = Replace(_buckets.GetValueOrDefault((l, news.Key), []), [.. news]);
                _changed.Add((l, news.Key));
            }
        }
    }

    /// <summary>What is to be stored after <see cref="Grow"/>.</summary>
    internal IEnumerable<(int Level, long Chunk, byte[] Data)> Changed() => _changed.Select(c => (
        c.Level, c.Chunk, c.Level == 0 ? ChunkCodec.OfPoints(_points[c.Chunk]) : ChunkCodec.OfBuckets(_buckets[c])));

    /// <summary>Points that count, ascending; of loaded chunks alone.</summary>
    internal IEnumerable<Point> PointsIn(StepRange steps) =>
        _points.OrderBy(c => c.Key).SelectMany(c => c.Value).Where(p => p.Step >= steps.First && p.Step <= steps.Last);

    /// <summary>Buckets of a level whose first points lie in the steps, ascending; of loaded chunks alone.</summary>
    internal IEnumerable<Bucket> BucketsIn(int level, StepRange steps) =>
        _buckets.Where(c => c.Key.Level == level).OrderBy(c => c.Key.Chunk).SelectMany(c => c.Value).Where(b => b.FirstStep >= steps.First && b.FirstStep <= steps.Last);

    // Whole chunks of the level below are folded, which a bucket never reaches out of: what did not change comes out as it was.
    private IEnumerable<Bucket> BelowOf(int level)
    {
        long size = ChunkGrid.Size(level);
        return level == 1
            ? Sources(level, _points.Keys.Select(c => (0, c))).SelectMany(c => Bucketing.Of(_points[c.Chunk], size))
            : Sources(level, _buckets.Keys.Where(c => c.Level == level - 1)).SelectMany(c => Bucketing.Fold(_buckets[c], size));
    }

    private List<(int Level, long Chunk)> Sources(int level, IEnumerable<(int Level, long Chunk)> loaded) =>
        [.. loaded.Where(c => level > Depth || _changed.Contains(c)).OrderBy(c => c.Chunk)];

    private static IReadOnlyList<Bucket> Replace(IReadOnlyList<Bucket> old, IReadOnlyList<Bucket> news)
    {
        var byIndex = new SortedDictionary<long, Bucket>(old.ToDictionary(b => b.Index));
        foreach (var bucket in news)
        {
            byIndex[bucket.Index] = bucket;
        }

        return [.. byIndex.Values];
    }
}
