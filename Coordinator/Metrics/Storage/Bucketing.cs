namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>
/// What a bucket of steps holds. <see cref="Low"/> and <see cref="High"/> are over the values that are numbers and NaN when none is;
/// <see cref="Total"/> is over all, so that one NaN makes the mean NaN and a chart shows where a run broke.
/// </summary>
/// <param name="Index">Steps from Index · size on.</param>
/// <param name="FirstStep">Least step that is in it.</param>
/// <param name="FirstTime">Time of that step.</param>
/// <param name="Points">How many steps are in it.</param>
public readonly record struct Bucket(long Index, long FirstStep, long FirstTime, long Points, double Total, float Low, float High)
{
    public float Mean => (float)(Total / Points);
}

/// <summary>Folds points into buckets that are aligned to multiples of their size. Pure.</summary>
public static class Bucketing
{
    /// <summary>Size of buckets, a power of two, with which a stretch of steps gives at most <paramref name="most"/> of them.</summary>
    public static long Choose(long from, long to, int most)
    {
        long size = 1;
        while ((to / size) - (from / size) + 1 > most)
        {
            size *= 2;
        }

        return size;
    }

    /// <summary>
    /// One point per step, ascending. Where steps are repeated after a resume or a roll-back, the later attempt's point counts, and of one
    /// attempt's that which came last; so it does not matter which of them were merged before.
    /// </summary>
    public static IReadOnlyList<Point> Merge(IEnumerable<Point> inOrderOfArrival)
    {
        var points = inOrderOfArrival as IReadOnlyList<Point> ?? [.. inOrderOfArrival];
        return IsAscending(points) ? points : [.. points.OrderBy(p => p.Step).ThenBy(p => p.Attempt).GroupBy(p => p.Step, (_, same) => same.Last())];
    }

    /// <summary>Buckets of ascending points.</summary>
    public static IReadOnlyList<Bucket> Of(IReadOnlyList<Point> points, long size) => Fold(
        points.Select(p => new Bucket(p.Step, p.Step, p.Time, 1, p.Value, p.Value, p.Value)), size);

    /// <summary>Larger buckets out of ascending smaller ones whose size divides <paramref name="size"/>.</summary>
    public static IReadOnlyList<Bucket> Fold(IEnumerable<Bucket> ascending, long size)
    {
        var folded = new List<Bucket>();
        foreach (var part in ascending)
        {
            long index = part.FirstStep / size;
            if (folded.Count > 0 && folded[^1].Index == index)
            {
                folded[^1] = Join(folded[^1], part);
            }
            else
            {
                folded.Add(part with { Index = index });
            }
        }

        return folded;
    }

    private static bool IsAscending(IReadOnlyList<Point> points)
    {
        for (int i = 1; i < points.Count; i++)
        {
            if (points[i].Step <= points[i - 1].Step)
            {
                return false;
            }
        }

        return true;
    }

    private static Bucket Join(Bucket a, Bucket b) => a with
    {
        Points = a.Points + b.Points,
        Total = a.Total + b.Total,
        Low = float.IsNaN(a.Low) || b.Low < a.Low ? b.Low : a.Low,
        High = float.IsNaN(a.High) || b.High > a.High ? b.High : a.High,
    };
}
