namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>
/// Where trials get their settings from when nothing is learnt. The numbers of trial n come from the sweep's seed and n alone, so neither the order
/// in which others end nor a coordinator that takes over changes them.
/// </summary>
public static class Draws
{
    /// <summary>The random numbers of a trial.</summary>
    public static SplitMix64 Of(long seed, int trial) => new(SplitMix64.Mix((ulong)seed ^ SplitMix64.Mix(SplitMix64.Gamma * ((ulong)trial + 1))));

    /// <summary>A setting at random. A dimension that does not count uses up its number too, so that the others stay as they are.</summary>
    public static Setting Random(SearchSpace space, long seed, int trial)
    {
        var numbers = Of(seed, trial);
        double[] units = [.. space.Dimensions.Select(_ => numbers.NextUniform())];
        return space.Fill(d => space.Dimensions[d].At(units[d]));
    }

    /// <summary>
    /// Every combination of the dimensions' spread values, the last dimension's the quickest; where one does not count it multiplies nothing.
    /// </summary>
    /// <param name="space">Of the sweep.</param>
    /// <param name="points">Values of a dimension that is no choice, at most.</param>
    public static IEnumerable<Setting> Grid(SearchSpace space, int points)
    {
        IReadOnlyList<double>[] spread = [.. space.Dimensions.Select(d => d.Spread(points))];
        return Combine(new double?[spread.Length], 0);

        IEnumerable<Setting> Combine(double?[] values, int d)
        {
            if (d == values.Length)
            {
                return [new Setting([.. values])];
            }

            return space.IsActive(d, values)
                ? spread[d].SelectMany(value => Combine([.. values[..d], value, .. values[(d + 1)..]], d + 1))
                : Combine([.. values[..d], null, .. values[(d + 1)..]], d + 1);
        }
    }
}
