namespace Hearth.Tokenizers;

/// <summary>Two symbols beside each other.</summary>
internal readonly record struct SymbolPair(int Left, int Right)
{
    // Fibonacci hashing: ids are small and alike, and left ^ right would leave few different values.
    public override int GetHashCode() => (int)(((((ulong)(uint)Left << 32) | (uint)Right) * 0x9E37_79B9_7F4A_7C15) >> 32);
}
