namespace Hearth.Training;

/// <summary>Derives independent seeds from a run's seed, so that every random stream is a pure function of (seed, stream, step).</summary>
public static class SeedMix
{
    /// <summary>SplitMix64's finaliser over the three numbers; 63 bits, never negative.</summary>
    public static long Of(long seed, RandomStream stream, long step)
    {
        ulong z = unchecked((ulong)seed + (0x9E3779B97F4A7C15 * (((ulong)step << 3) + (ulong)stream + 1)));
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (long)((z ^ (z >> 31)) >> 1);
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
