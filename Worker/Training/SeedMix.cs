namespace Hearth.Training;

/// <summary>Derives independent seeds from a run's seed, so that every random stream is a pure function of (seed, stream, step).</summary>
public static class SeedMix
{
    /// <summary>SplitMix64's finaliser over the three numbers; 63 bits, never negative.</summary>
    public static long Of(long seed, RandomStream stream, long step)
    {
        ulong state = unchecked((ulong)seed + (SplitMix64.Gamma * (((ulong)step << 3) + (ulong)stream + 1)));
        return (long)(SplitMix64.Mix(state) >> 1);
    }
}

/// <summary>What random numbers are drawn for. The numbers are part of every run's trace: never reorder.</summary>
public enum RandomStream
{
    Weights = 0,
    Step = 1,
    Sample = 2,
    Rounding = 3,
}
