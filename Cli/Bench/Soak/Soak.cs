namespace Hearth.Cli.Bench.Soak;

/// <summary>What a coordinator and its database held at one moment.</summary>
/// <param name="Seconds">Since the soak began.</param>
/// <param name="ResidentBytes">Memory of the coordinator.</param>
/// <param name="DeadTuples">Rows that no transaction sees any more and no vacuum has taken.</param>
/// <param name="DatabaseBytes">Of the database on disk.</param>
/// <param name="Runs">That have ended.</param>
internal sealed record SoakSample(double Seconds, long ResidentBytes, long DeadTuples, long DatabaseBytes, long Runs);

/// <summary>Whether something grew over a soak, by the medians of its second and third parts; the first is the start. Pure.</summary>
/// <param name="Middle">Median of the second third.</param>
/// <param name="Last">Median of the last third.</param>
/// <param name="Flat">Whether the last is no more than a tenth, or the slack, over the middle.</param>
internal sealed record SoakTrend(double Middle, double Last, bool Flat)
{
    private const double Growth = 1.1;

    /// <param name="values">In the order of time; at least three.</param>
    /// <param name="slack">What counts as nothing.</param>
    public static SoakTrend Of(IReadOnlyList<double> values, double slack)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(values.Count, 3, nameof(values));
        int third = values.Count / 3;
        double middle = new Sample(values.Skip(third).Take(values.Count - (2 * third))).Median, last = new Sample(values.TakeLast(third)).Median;
        return new SoakTrend(middle, last, last <= Math.Max(middle * Growth, middle + slack));
    }
}
