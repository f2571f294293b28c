namespace Hearth.Models.Moa;

/// <summary>
/// Positions of the triangle term as a pure function of where a run stands: no generator, the same on every machine and
/// however a batch is split. Chained MurmurHash3 finalisers (Appleby, 2008).
/// </summary>
public static class Triples
{
    /// <summary>MurmurHash3's 32-bit finaliser.</summary>
    public static uint Mix(uint u)
    {
        u ^= u >> 16;
        u *= 0x85EBCA6B;
        u ^= u >> 13;
        u *= 0xC2B2AE35;
        return u ^ (u >> 16);
    }

    /// <summary>Position <paramref name="corner"/> (0, 1, 2 = a, b, c) of one triple, in [0, time).</summary>
    /// <param name="at">The run's seed and step; its first row is not used.</param>
    /// <param name="layer">From 0.</param>
    /// <param name="row">Index of the sequence in the whole optimizer batch.</param>
    /// <param name="triple">From 0.</param>
    /// <param name="corner">0, 1 or 2.</param>
    /// <param name="time">Tokens of a row.</param>
    public static long Position(TrainingStep at, int layer, long row, int triple, int corner, long time)
    {
        uint u = unchecked((uint)at.Seed);
        u = Fold(u, at.Step);
        u = Fold(u, layer);
        u = Fold(u, row);
        u = Fold(u, (3L * triple) + corner);
        return u % time;
    }

    private static uint Fold(uint u, long word) => Mix(u ^ unchecked(((uint)word * 0x9E3779B9) + 0x7F4A7C15));
}
