namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>The standard normal distribution.</summary>
internal static class Normal
{
    internal static double Density(double z) => Math.Exp(-0.5 * z * z) / Math.Sqrt(2 * Math.PI);

    /// <summary>Share below z, to 2e-7 (Abramowitz and Stegun 26.2.17 has 7.5e-8).</summary>
    internal static double Below(double z)
    {
        double t = 1 / (1 + (0.2316419 * Math.Abs(z)));
        double tail = Density(z) * t * (0.319381530 + (t * (-0.356563782 + (t * (1.781477937 + (t * (-1.821255978 + (t * 1.330274429))))))));
        return z > 0 ? 1 - tail : tail;
    }

    /// <summary>The z below which this share lies, by bisection of <see cref="Below"/>.</summary>
    internal static double Quantile(double share)
    {
        double low = -8, high = 8;
        for (int i = 0; i < 50; i++)
        {
            double middle = (low + high) / 2;
            (low, high) = Below(middle) < share ? (middle, high) : (low, middle);
        }

        return (low + high) / 2;
    }
}
