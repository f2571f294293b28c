namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>A setting and how it did; the less the better.</summary>
/// <param name="Setting">Of a trial.</param>
/// <param name="Score">Positive infinity = it failed, or nothing is known of it yet.</param>
public sealed record Observation(Setting Setting, double Score);

/// <summary>
/// The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kégl, NeurIPS 2011): one density over the settings that did well, one over the
/// rest; of candidates drawn from the first the one with the greatest ratio of both. The densities are joint over all dimensions (Falkner, Klein,
/// Hutter, ICML 2018), and each holds the whole space as one more component, so that no region is ever ruled out.
/// </summary>
public static class Tpe
{
    /// <summary>Settings that are drawn at random before there is enough to learn from.</summary>
    public const int RandomFirst = 10;

    private const int Candidates = 64;
    private const double GoodShare = 0.15;
    private const int MostGood = 25;
    private const double Width = 0.2;
    private const double LeastWidth = 0.01;

    // What a choice other than the component's own keeps of its weight, shared by all.
    private const double Elsewhere = 0.2;

    /// <summary>The next setting.</summary>
    /// <param name="space">Of the sweep.</param>
    /// <param name="observed">Of trials before, in the order of their numbers; those that are at work count as bad, so that no two do the same.</param>
    /// <param name="seed">Of the sweep.</param>
    /// <param name="trial">Number of the new trial.</param>
    public static Setting Next(SearchSpace space, IReadOnlyList<Observation> observed, long seed, int trial)
    {
        var known = observed.Where(o => double.IsFinite(o.Score)).OrderBy(o => o.Score).ToList();
        if (known.Count < RandomFirst)
        {
            return Draws.Random(space, seed, trial);
        }

        int good = Math.Clamp((int)Math.Ceiling(GoodShare * known.Count), 1, MostGood);
        var well = new Density(space, [.. known.Take(good).Select(o => o.Setting)]);
        var rest = new Density(space, [.. known.Skip(good).Concat(observed.Where(o => !double.IsFinite(o.Score))).Select(o => o.Setting)]);
        var numbers = Draws.Of(seed, trial);
        Setting? best = null;
        double most = double.NegativeInfinity;
        for (int c = 0; c < Candidates; c++)
        {
            var candidate = well.Draw(ref numbers);
            double gain = well.Log(candidate) - rest.Log(candidate);
            if (gain > most)
            {
                (best, most) = (candidate, gain);
            }
        }

        return best!;
    }

    /// <summary>A mixture of kernels, one around each setting and one over the whole space.</summary>
    private sealed class Density(SearchSpace space, IReadOnlyList<Setting> centres)
    {
        // Scott's rule over as many dimensions as there are.
        private readonly double _width = Math.Max(LeastWidth, Width * Math.Pow(Math.Max(1, centres.Count), -1.0 / (4 + space.Dimensions.Count)) * 1.5);

        internal Setting Draw(ref SplitMix64 numbers)
        {
            int component = (int)(numbers.NextUniform() * (centres.Count + 1));
            var centre = component < centres.Count ? centres[component] : null;
            double[] drawn = new double[space.Dimensions.Count];
            for (int d = 0; d < drawn.Length; d++)
            {
                double first = numbers.NextUniform(), second = numbers.NextUniform();
                drawn[d] = Draw(space.Dimensions[d], centre?.Values[d], first, second);
            }

            return space.Fill(d => drawn[d]);
        }

        // Logarithm of the density; a dimension that does not count for the setting has no part in it.
        internal double Log(Setting setting)
        {
            double[] logs = [.. centres.Append(null).Select(centre => Enumerable.Range(0, space.Dimensions.Count).Sum(d => setting.Values[d] is { } value ? Math.Log(Kernel(space.Dimensions[d], centre?.Values[d], value)) : 0))];
            double top = logs.Max();
            return top + Math.Log(logs.Sum(l => Math.Exp(l - top)) / logs.Length);
        }

        // Where the component's own setting does not count, it says nothing: the whole range.
        private double Draw(Dimension dimension, double? centre, double first, double second)
        {
            if (centre is not { } own)
            {
                return dimension.At(first);
            }

            if (dimension.IsChoice)
            {
                return first < Elsewhere ? dimension.At(second) : own;
            }

            // The normal's inverse between the values at both ends of the range: never outside, never piled up at an end.
            double middle = dimension.UnitOf(own);
            double low = Normal.Below(-middle / _width), high = Normal.Below((1 - middle) / _width);
            return dimension.At(Math.Clamp(middle + (_width * Normal.Quantile(low + (first * (high - low)))), 0, 1));
        }

        private double Kernel(Dimension dimension, double? centre, double value)
        {
            if (centre is not { } own)
            {
                return dimension.IsChoice ? 1.0 / dimension.Choices.Count : 1;
            }

            if (dimension.IsChoice)
            {
                return (Elsewhere / dimension.Choices.Count) + (value == own ? 1 - Elsewhere : 0);
            }

            double middle = dimension.UnitOf(own), z = (dimension.UnitOf(value) - middle) / _width;
            return Normal.Density(z) / _width / (Normal.Below((1 - middle) / _width) - Normal.Below(-middle / _width));
        }
    }
}
