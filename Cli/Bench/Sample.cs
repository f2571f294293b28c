namespace Hearth.Cli.Bench;

/// <summary>Measured values of one kind. Pure.</summary>
internal sealed class Sample(IEnumerable<double> values)
{
    private readonly double[] _sorted = [.. values.Order()];

    public int Count => _sorted.Length;

    public double Max => _sorted[^1];

    public double Median => Percentile(50);

    /// <summary>The least value that at least that share of all values does not exceed (nearest rank).</summary>
    public double Percentile(double percent) => _sorted[Math.Max(0, (int)Math.Ceiling(percent / 100 * _sorted.Length) - 1)];
}
