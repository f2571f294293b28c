using System.Globalization;

namespace Hearth.Training;

/// <summary>
/// 64-bit FNV-1a over the bits of every step's loss, in order. Two runs with equal traces went through the same losses,
/// bit for bit; one different last bit at any step gives another trace from there on.
/// </summary>
public readonly record struct TraceHash(ulong Value)
{
    private const ulong Prime = 0x00000100000001b3;

    /// <summary>The trace before the first step.</summary>
    public static TraceHash Empty { get; } = new(0xcbf29ce484222325);

    /// <summary>The trace after one more step.</summary>
    public TraceHash Fold(double loss)
    {
        ulong bits = BitConverter.DoubleToUInt64Bits(loss);
        ulong hash = Value;
        for (int i = 0; i < 8; i++)
        {
            hash = (hash ^ (bits & 0xff)) * Prime;
            bits >>= 8;
        }

        return new TraceHash(hash);
    }

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <exception cref="FormatException">Not 16 hex digits.</exception>
    public static TraceHash Parse(string text) => text.Length == 16 && ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
        ? new TraceHash(value)
        : throw new FormatException($"trace is '{text}'. Allowed: 16 hex digits.");

    /// <summary>16 lower-case hex digits.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}
