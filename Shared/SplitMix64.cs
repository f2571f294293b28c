namespace Hearth;

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): 64 bits of state, the same numbers on every machine. Part of every run's trace.</summary>
/// <param name="seed">Any.</param>
public struct SplitMix64(ulong seed)
{
    /// <summary>What the state moves by: 2⁶⁴ over the golden ratio.</summary>
    public const ulong Gamma = 0x9E3779B97F4A7C15;

    private ulong _state = seed;

    /// <summary>64 random bits.</summary>
    public ulong Next() => Mix(_state += Gamma);

    /// <summary>A number in [0, 1), of 53 bits.</summary>
    public double NextUniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>The finaliser: every bit of the input moves every bit of the output.</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
