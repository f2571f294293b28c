namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>Steps from the first to the last, both in it.</summary>
public readonly record struct StepRange(long First, long Last)
{
    public StepRange With(StepRange other) => new(Math.Min(First, other.First), Math.Max(Last, other.Last));
}

/// <summary>Chunks of one level of one series, from the first to the last.</summary>
internal readonly record struct ChunkRange(int Level, long First, long Last);

/// <summary>
/// How a series is cut. Level 0 holds points, each level above holds buckets of sixteen of the one below, and a chunk is a fixed stretch of
/// steps of its level: which chunk a step is in is arithmetic, and no chunk has more than 8,192 points or 1,024 buckets. A level
/// above the first is kept only where the one below takes more than one chunk, so that short series are one row. Pure.
/// </summary>
internal static class ChunkGrid
{
    /// <summary>The coarsest level; its 524,288 steps a bucket cover the longest run in 191.</summary>
    internal const int Top = 4;

    private const long PointsOfAChunk = 8192;
    private const long BucketsOfAChunk = 1024;
    private const long Finest = 128;

    /// <summary>Steps of a bucket; 1 for points.</summary>
    internal static long Size(int level) => level == 0 ? 1 : Finest << (4 * (level - 1));

    /// <summary>Steps of a chunk.</summary>
    internal static long Span(int level) => level == 0 ? PointsOfAChunk : Size(level) * BucketsOfAChunk;

    /// <summary>The coarsest level that a series of these steps is kept in.</summary>
    internal static int Depth(StepRange steps)
    {
        int level = 0;
        while (level < Top && steps.First / Span(level) < steps.Last / Span(level))
        {
            level++;
        }

        return level;
    }

    /// <summary>The coarsest level, no coarser than <paramref name="deepest"/>, that buckets of a size (a power of two) can be folded from.</summary>
    internal static int LevelFor(long size, int deepest)
    {
        int level = deepest;
        while (level > 0 && Size(level) > size)
        {
            level--;
        }

        return level;
    }
}
