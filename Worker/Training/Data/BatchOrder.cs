namespace Hearth.Training.Data;

/// <summary>
/// Which window each row of each step is: windows are permuted per epoch, epochs follow one another without a gap, and step s
/// takes rows s·R to s·R+R−1 of that endless stream. A pure function of (seed, stage, step).
/// </summary>
public sealed class BatchOrder(long windows, long seed, int stage)
{
    private readonly Dictionary<long, int[]> _epochs = [];

    public long Window(long step, int row, int rowsPerStep)
    {
        long index = checked((step * rowsPerStep) + row);
        return Epoch(index / windows)[index % windows];
    }

    /// <summary>Fisher–Yates over SplitMix64 seeded by (seed, stage, epoch).</summary>
    private int[] Epoch(long epoch)
    {
        if (_epochs.TryGetValue(epoch, out int[]? known))
        {
            return known;
        }

        var random = new SplitMix64(SplitMix64.Mix(SplitMix64.Mix(SplitMix64.Mix((ulong)seed) ^ (ulong)stage) ^ (ulong)epoch));
        int[] order = [.. Enumerable.Range(0, checked((int)windows))];
        for (int i = order.Length - 1; i > 0; i--)
        {
            // The high half of a 128-bit product maps 64 random bits to 0..i with a bias below 2^-32.
            int j = (int)(((UInt128)random.Next() * (ulong)(i + 1)) >> 64);
            (order[i], order[j]) = (order[j], order[i]);
        }

        // A step may straddle two epochs; older ones are never asked for again.
        foreach (long old in _epochs.Keys.Where(e => e < epoch - 1).ToArray())
        {
            _epochs.Remove(old);
        }

        return _epochs[epoch] = order;
    }
}
