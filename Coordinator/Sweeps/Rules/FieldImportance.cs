namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>How much a field matters.</summary>
/// <param name="Path">Of the field.</param>
/// <param name="Weight">What shuffling its values adds to the forest's squared error, in variances of the results; about 0 for a field that does nothing.</param>
/// <param name="Trials">In how many of the trials it counts.</param>
public sealed record FieldWeight(string Path, double Weight, int Trials);

/// <summary>What the fields of a sweep matter.</summary>
/// <param name="Explained">Share of the results' variance that the forest tells of trials which its trees did not see; near 0 or less = nothing can be told.</param>
/// <param name="Fields">The greatest weight first.</param>
public sealed record FieldWeights(double Explained, IReadOnlyList<FieldWeight> Fields);

/// <summary>
/// Permutation importance (Breiman, "Random Forests", Machine Learning 45, 2001, section 10): of a forest that predicts results from settings, how much worse it
/// gets on the trials that a tree did not see when one field's values are shuffled among them. Results count by rank, so that one trial that diverged does not outweigh all
/// others. Pure: equal trials and seeds give equal weights.
/// </summary>
public static class FieldImportance
{
    /// <summary>Below this, a forest of trees with three trials in a leaf tells chance.</summary>
    public const int LeastTrials = 10;

    private const int Trees = 200;
    private const int Shuffles = 5;

    /// <param name="space">What the settings are of.</param>
    /// <param name="trials">At least <see cref="LeastTrials"/>; what is no number counts as the worst.</param>
    /// <param name="maximise">Whether more is better.</param>
    /// <param name="seed">Of all that is drawn.</param>
    public static FieldWeights Of(SearchSpace space, IReadOnlyList<(Setting Setting, double Value)> trials, bool maximise, long seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(trials.Count, LeastTrials);
        var random = new SplitMix64((ulong)seed);
        double[][] rows = [.. trials.Select(t => Row(space, t.Setting, ref random))];
        double[] ranks = Ranks([.. trials.Select(t => double.IsNaN(t.Value) ? double.PositiveInfinity : maximise ? -t.Value : t.Value)]);
        double mean = ranks.Average(), variance = ranks.Average(r => (r - mean) * (r - mean));
        var counts = space.Dimensions.Select((_, d) => trials.Select(t => t.Setting.Values[d] is not null).ToArray()).ToList();
        if (variance == 0)
        {
            return new FieldWeights(0, [.. space.Dimensions.Select((d, i) => new FieldWeight(d.Path, 0, counts[i].Count(c => c)))]);
        }

        var forest = RegressionForest.Grow(rows, ranks, [.. space.Dimensions.Select(d => d.IsChoice)], Trees, random.Next());
        double[] added = new double[space.Dimensions.Count];
        int judged = 0;
        foreach (var (root, unseen) in forest.Trees.Where(t => t.Unseen.Length > 1))
        {
            judged++;
            double own = Error(root, unseen.Select(i => (rows[i], ranks[i])));
            for (int d = 0; d < added.Length; d++)
            {
                added[d] += Shuffled(root, unseen, d, counts[d], rows, ranks, ref random) - own;
            }
        }

        var fields = space.Dimensions.Select((d, i) => new FieldWeight(d.Path, Math.Max(0, added[i] / Math.Max(1, judged) / variance), counts[i].Count(c => c)));
        return new FieldWeights(Explained(forest, rows, ranks, variance), [.. fields.OrderByDescending(f => f.Weight).ThenBy(f => f.Path, StringComparer.Ordinal)]);
    }

    // A field that does not count gets a value at random: were its absence to be seen, it would stand for the choice that it hangs on and take that one's weight.
    private static double[] Row(SearchSpace space, Setting setting, ref SplitMix64 random)
    {
        double[] row = new double[space.Dimensions.Count];
        for (int d = 0; d < row.Length; d++)
        {
            var dimension = space.Dimensions[d];
            double value = setting.Values[d] ?? dimension.At(random.NextUniform());
            row[d] = dimension.IsChoice ? value : dimension.UnitOf(value);
        }

        return row;
    }

    /// <summary>Ranks from 0, equal values sharing the mean of theirs.</summary>
    internal static double[] Ranks(IReadOnlyList<double> values)
    {
        double[] ranks = new double[values.Count];
        int before = 0;
        foreach (var same in values.Index().GroupBy(v => v.Item).OrderBy(g => g.Key))
        {
            int count = same.Count();
            foreach (var (i, _) in same)
            {
                ranks[i] = before + ((count - 1) / 2.0);
            }

            before += count;
        }

        return ranks;
    }

    // Only among the trials in which the field counts: the others' value says nothing.
    private static double Shuffled(RegressionForest.Node root, int[] unseen, int dimension, bool[] counts, double[][] rows, double[] ranks, ref SplitMix64 random)
    {
        int[] moved = [.. unseen.Where(i => counts[i])];
        double error = 0;
        for (int s = 0; s < Shuffles; s++)
        {
            double[] values = [.. moved.Select(i => rows[i][dimension])];
            for (int i = values.Length - 1; i > 0; i--)
            {
                int other = RegressionForest.Below(ref random, i + 1);
                (values[i], values[other]) = (values[other], values[i]);
            }

            var given = moved.Index().ToDictionary(m => m.Item, m => values[m.Index]);
            error += Error(root, unseen.Select(i => (given.TryGetValue(i, out double value) ? With(rows[i], dimension, value) : rows[i], ranks[i])));
        }

        return error / Shuffles;
    }

    private static double[] With(double[] row, int dimension, double value)
    {
        double[] changed = [.. row];
        changed[dimension] = value;
        return changed;
    }

    private static double Error(RegressionForest.Node root, IEnumerable<(double[] Row, double Target)> rows) =>
        rows.Average(r => root.Predict(r.Row) - r.Target is var off ? off * off : 0);

    private static double Explained(RegressionForest forest, double[][] rows, double[] ranks, double variance)
    {
        double[] sums = new double[rows.Length], votes = new double[rows.Length];
        foreach (var (root, unseen) in forest.Trees)
        {
            foreach (int i in unseen)
            {
                sums[i] += root.Predict(rows[i]);
                votes[i]++;
            }
        }

        var judged = Enumerable.Range(0, rows.Length).Where(i => votes[i] > 0).ToList();
        return 1 - (judged.Average(i => (sums[i] / votes[i]) - ranks[i] is var off ? off * off : 0) / variance);
    }
}
