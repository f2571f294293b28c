namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>A stretch of a series in buckets of one size, drawn from the level that this takes. Pure: it names the chunks that it needs.</summary>
internal sealed class SeriesView
{
    private readonly int _level;
    private readonly StepRange? _drawn;

    private SeriesView(SeriesTree tree, long size, int level, StepRange? drawn) => (Tree, Size, _level, _drawn) = (tree, size, level, drawn);

    /// <summary>Is given the chunks.</summary>
    internal SeriesTree Tree { get; }

    /// <summary>Steps of a bucket, a power of two; 1 = points.</summary>
    internal long Size { get; }

    /// <param name="stored">Steps of what is in chunks; null when nothing is.</param>
    /// <param name="arrived">Points beyond that, in the order of arrival.</param>
    /// <param name="asked">Which steps; the buckets that hold its ends come whole.</param>
    /// <param name="most">Most buckets.</param>
    internal static SeriesView Of(StepRange? stored, IReadOnlyList<Point> arrived, StepRange asked, int most)
    {
        var tree = new SeriesTree(stored, arrived);
        if (tree.Steps is not { } there || Math.Max(there.First, asked.First) is var low && Math.Min(there.Last, asked.Last) is var high && low > high)
        {
            return new SeriesView(new SeriesTree(null, []), 1, 0, null);
        }

        long size = Bucketing.Choose(low, high, most);
        var drawn = new StepRange(low / size * size, (((high / size) + 1) * size) - 1);

        // Points outside change no bucket that is drawn.
        return new SeriesView(
            new SeriesTree(stored, tree.Arrived.Where(p => p.Step >= drawn.First && p.Step <= drawn.Last)), size, ChunkGrid.LevelFor(size, tree.Depth), drawn);
    }

    /// <summary>Chunks to be loaded before <see cref="Buckets"/>, as far as there are such.</summary>
    internal IEnumerable<ChunkRange> Needs() =>
        _drawn is { } drawn ? [.. Tree.Needs(_level), new ChunkRange(_level, drawn.First / ChunkGrid.Span(_level), drawn.Last / ChunkGrid.Span(_level))] : [];

    /// <summary>The buckets, ascending.</summary>
    internal IReadOnlyList<Bucket> Buckets()
    {
        if (_drawn is not { } drawn)
        {
            return [];
        }

        Tree.Grow(_level);
        return _level == 0 ? Bucketing.Of([.. Tree.PointsIn(drawn)], Size) : Bucketing.Fold(Tree.BucketsIn(_level, drawn), Size);
    }
}
