namespace Hearth.Models.Qovaryx;

/// <summary>How far a classifier's probabilities can be taken at their word, and the temperature that mends them afterwards.</summary>
public static class Calibration
{
    private const int Bins = 15;
    private const double LeastInverse = 0.05;
    private const double LargestInverse = 20;
    private const int MostSteps = 50;
    private const double Enough = 1e-10;

    /// <summary>Σ_b (n_b/n)·|accuracy − confidence| over 15 equal bins (j/15, (j+1)/15] of the largest probability (arXiv 1706.04599, eq. 3).</summary>
    public static double ExpectedError(IReadOnlyList<double[]> probabilities, IReadOnlyList<int> labels)
    {
        double[] right = new double[Bins], sure = new double[Bins];
        for (int i = 0; i < labels.Count; i++)
        {
            int best = Sampler.Likeliest(probabilities[i]);
            int bin = Math.Clamp((int)Math.Ceiling(probabilities[i][best] * Bins) - 1, 0, Bins - 1);
            right[bin] += best == labels[i] ? 1 : 0;
            sure[bin] += probabilities[i][best];
        }

        return right.Zip(sure, (r, s) => Math.Abs(r - s)).Sum() / Math.Max(1, labels.Count);
    }

    /// <summary>
    /// T that minimises the mean of −log softmax(z/T)_y: Newton's method in β = 1/T, in which it is convex, within [0.05, 20]
    /// (temperature scaling, arXiv 1706.04599 §4.2).
    /// </summary>
    public static double Temperature(IReadOnlyList<double[]> logits, IReadOnlyList<int> labels)
    {
        double beta = 1;
        for (int step = 0; step < MostSteps; step++)
        {
            var (slope, curvature) = Derivatives(logits, labels, beta);
            double next = Math.Clamp(beta - (slope / Math.Max(curvature, 1e-12)), LeastInverse, LargestInverse);

            // Far from the minimum a whole step may overshoot.
            while (Loss(logits, labels, next) > Loss(logits, labels, beta) && Math.Abs(next - beta) > Enough)
            {
                next = (next + beta) / 2;
            }

            if (Math.Abs(next - beta) <= Enough)
            {
                break;
            }

            beta = next;
        }

        return 1 / beta;
    }

    /// <summary>softmax(z/T).</summary>
    public static double[] Probabilities(double[] logits, double temperature = 1)
    {
        double top = logits.Max();
        double[] weights = [.. logits.Select(z => Math.Exp((z - top) / temperature))];
        double sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }

    /// <summary>The likeliest class; null where its probability is below the threshold.</summary>
    public static int? Decide(double[] logits, double temperature, double threshold)
    {
        double[] p = Probabilities(logits, temperature);
        int best = Sampler.Likeliest(p);
        return p[best] < threshold ? null : best;
    }

    private static double Loss(IReadOnlyList<double[]> logits, IReadOnlyList<int> labels, double beta) =>
        logits.Select((z, i) => -Math.Log(Math.Max(double.Epsilon, Probabilities(z, 1 / beta)[labels[i]]))).Sum();

    // d/dβ of −log softmax(βz)_y is E[z] − z_y, and its derivative Var[z].
    private static (double Slope, double Curvature) Derivatives(IReadOnlyList<double[]> logits, IReadOnlyList<int> labels, double beta)
    {
        double slope = 0, curvature = 0;
        for (int i = 0; i < labels.Count; i++)
        {
            double[] p = Probabilities(logits[i], 1 / beta);
            double mean = p.Zip(logits[i], (q, z) => q * z).Sum();
            slope += mean - logits[i][labels[i]];
            curvature += p.Zip(logits[i], (q, z) => q * (z - mean) * (z - mean)).Sum();
        }

        return (slope, curvature);
    }
}
