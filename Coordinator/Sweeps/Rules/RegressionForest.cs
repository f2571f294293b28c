namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>
/// A random forest for regression (Breiman, "Random Forests", Machine Learning 45, 2001): trees on bootstrap samples, each split the best of a few features
/// drawn for it. It keeps which rows each tree did not see, since those alone tell what the tree has learnt. Pure: equal rows and seeds give equal forests.
/// </summary>
internal sealed class RegressionForest
{
    private const int LeastLeaf = 3;

    private readonly double[][] _rows;
    private readonly double[] _targets;
    private readonly bool[] _isChoice;
    private readonly int _tried;

    private RegressionForest(double[][] rows, double[] targets, bool[] isChoice) =>
        (_rows, _targets, _isChoice, _tried) = (rows, targets, isChoice, Math.Max(1, (int)Math.Ceiling(isChoice.Length * 2 / 3.0)));

    internal IReadOnlyList<(Node Root, int[] Unseen)> Trees { get; private set; } = [];

    /// <param name="rows">Features; a choice's is the index of its value.</param>
    /// <param name="targets">One a row.</param>
    /// <param name="isChoice">Which features are split by being one value, not by being at most one.</param>
    /// <param name="trees">How many.</param>
    /// <param name="seed">Of bootstraps and of the features tried.</param>
    internal static RegressionForest Grow(double[][] rows, double[] targets, bool[] isChoice, int trees, ulong seed)
    {
        var forest = new RegressionForest(rows, targets, isChoice);
        var random = new SplitMix64(seed);
        forest.Trees = [.. Enumerable.Range(0, trees).Select(_ => forest.Tree(ref random))];
        return forest;
    }

    private (Node Root, int[] Unseen) Tree(ref SplitMix64 random)
    {
        int[] sample = new int[_rows.Length];
        bool[] seen = new bool[_rows.Length];
        for (int i = 0; i < sample.Length; i++)
        {
            sample[i] = Below(ref random, sample.Length);
            seen[sample[i]] = true;
        }

        return (Grow(sample, ref random), [.. Enumerable.Range(0, seen.Length).Where(i => !seen[i])]);
    }

    private Node Grow(int[] sample, ref SplitMix64 random)
    {
        double mean = sample.Average(i => _targets[i]);
        if (sample.Length < 2 * LeastLeaf || Best(sample, ref random) is not { } split)
        {
            return new Node(mean);
        }

        var left = Grow([.. sample.Where(i => split.IsLeft(_rows[i]))], ref random);
        return new Node(mean) { Split = split, Left = left, Right = Grow([.. sample.Where(i => !split.IsLeft(_rows[i]))], ref random) };
    }

    private Split? Best(int[] sample, ref SplitMix64 random)
    {
        (Split? Split, double Gain) best = (null, 1e-12);
        foreach (int feature in Draw(ref random))
        {
            var found = _isChoice[feature] ? BestValue(sample, feature) : BestThreshold(sample, feature);
            best = found.Gain > best.Gain ? found : best;
        }

        return best.Split;
    }

    // What splitting takes off the squared error: n₁n₂/n · (difference of the means)².
    private static double Gain(double leftSum, int left, double sum, int all)
    {
        double difference = (leftSum / left) - ((sum - leftSum) / (all - left));
        return (double)left * (all - left) / all * difference * difference;
    }

    private (Split? Split, double Gain) BestThreshold(int[] sample, int feature)
    {
        int[] ordered = [.. sample.OrderBy(i => _rows[i][feature])];
        double sum = sample.Sum(i => _targets[i]), leftSum = 0;
        (Split? Split, double Gain) best = (null, 0);
        for (int k = 1; k <= ordered.Length - LeastLeaf; k++)
        {
            leftSum += _targets[ordered[k - 1]];
            double below = _rows[ordered[k - 1]][feature], above = _rows[ordered[k]][feature];
            if (k >= LeastLeaf && below < above && Gain(leftSum, k, sum, ordered.Length) is var gain && gain > best.Gain)
            {
                best = (new Split(feature, (below + above) / 2, IsEqual: false), gain);
            }
        }

        return best;
    }

    private (Split? Split, double Gain) BestValue(int[] sample, int feature)
    {
        double sum = sample.Sum(i => _targets[i]);
        (Split? Split, double Gain) best = (null, 0);
        foreach (var value in sample.GroupBy(i => _rows[i][feature]).OrderBy(g => g.Key))
        {
            int count = value.Count();
            if (count >= LeastLeaf && sample.Length - count >= LeastLeaf && Gain(value.Sum(i => _targets[i]), count, sum, sample.Length) is var gain && gain > best.Gain)
            {
                best = (new Split(feature, value.Key, IsEqual: true), gain);
            }
        }

        return best;
    }

    private int[] Draw(ref SplitMix64 random)
    {
        int[] features = [.. Enumerable.Range(0, _isChoice.Length)];
        for (int i = 0; i < _tried; i++)
        {
            int other = i + Below(ref random, features.Length - i);
            (features[i], features[other]) = (features[other], features[i]);
        }

        return features[.._tried];
    }

    internal static int Below(ref SplitMix64 random, int count) => (int)(random.NextUniform() * count);

    /// <summary>A question about one feature.</summary>
    internal sealed record Split(int Feature, double Value, bool IsEqual)
    {
        internal bool IsLeft(double[] row) => IsEqual ? row[Feature] == Value : row[Feature] <= Value;
    }

    /// <summary>A leaf, or a question with two answers.</summary>
    internal sealed record Node(double Mean)
    {
        internal Split? Split { get; init; }
        internal Node? Left { get; init; }
        internal Node? Right { get; init; }

        internal double Predict(double[] row)
        {
            var node = this;
            while (node.Split is { } split)
            {
                node = split.IsLeft(row) ? node.Left! : node.Right!;
            }

            return node.Mean;
        }
    }
}
