namespace Hearth.Kernels.Checks;

/// <summary>How far a kernel in fp32 may be from the same sums in fp64, as a share of the result's largest value: roundings on the longest way to an element, times the unit roundoff.</summary>
public static class RoundingBounds
{
    /// <summary>A result whose largest value is below it is held against it.</summary>
    public const double SmallestScale = 1e-3;

    // Of fp32, rounded to nearest.
    private const double UnitRoundoff = 1.0 / (1 << 24);

    // Steps that a state of normal inputs remembers: each forgets by a factor of at most 1, and over so many hardly anything is left.
    private const int Remembered = 32;

    /// <summary>
    /// Of the scan h' = a h + x bᵀ, y = h' c with a ≤ 1, outputs and gradients. A step rounds its product and its sum, forward and again backward
    /// (4 T); log a's gradient then sums P·N products and the rest P or N, in sums of P over N threads (P + N); every term has both scans' roundings.
    /// </summary>
    /// <param name="steps">T.</param>
    /// <param name="channels">P, of a head.</param>
    /// <param name="states">N.</param>
    public static double SsdScan(int steps, int channels, int states) => 4.0 * (Math.Min(steps, Remembered) + channels + states) * UnitRoundoff;
}
