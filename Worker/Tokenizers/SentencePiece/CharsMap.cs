using System.Buffers.Binary;

namespace Hearth.Tokenizers;

/// <summary>
/// A normaliser's replacements in SentencePiece's compiled form: u32 size of the trie in bytes, the trie, then replacements
/// as zero-ended UTF-8. The trie is a double array (Yata's darts-clone): a unit holds a label, the distance to its children and
/// whether a leaf is among them; a leaf's value is the replacement's offset.
/// </summary>
internal sealed class CharsMap
{
    private const string Field = "normalizer_spec.precompiled_charsmap";
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <exception cref="TokenizerException">Sizes contradict each other.</exception>
    internal CharsMap(byte[] compiled)
    {
        if (compiled.Length == 0)
        {
            (_units, _replacements) = ([], []);
            return;
        }

        uint size = compiled.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(compiled) : 0;
        if (size == 0 || size % 4 != 0 || size >= compiled.Length - 4 || compiled[^1] != 0)
        {
            throw new TokenizerException($"{Field} of the SentencePiece model has {compiled.Length} bytes with a trie of {size}. Allowed: 4 bytes, a trie of whole units and zero-ended replacements.");
        }

        _units = new uint[size / 4];
        for (int i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(compiled.AsSpan(4 + (4 * i)));
        }

        _replacements = compiled[(4 + (int)size)..];
    }

    /// <summary>The longest rule that the text starts with: bytes taken, 0 for none, and their replacement.</summary>
    internal int Longest(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        replacement = default;
        if (_units.Length == 0)
        {
            return 0;
        }

        int taken = 0;
        uint value = 0, at = Offset(_units[0]);
        for (int i = 0; i < text.Length; i++)
        {
            at ^= text[i];
            if (at >= _units.Length || Label(_units[at]) != text[i])
            {
                break;
            }

            uint unit = _units[at];
            at ^= Offset(unit);
            if (HasLeaf(unit) && at < _units.Length)
            {
                (taken, value) = (i + 1, _units[at] & 0x7FFFFFFF);
            }
        }

        if (taken == 0 || value >= _replacements.Length)
        {
            return 0;
        }

        replacement = _replacements.AsSpan((int)value);
        replacement = replacement[..replacement.IndexOf((byte)0)];
        return taken;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);

    // A leaf's top bit keeps it from being taken for a label.
    private static uint Label(uint unit) => unit & (1u << 31 | 0xFF);

    private static bool HasLeaf(uint unit) => (unit >> 8 & 1) == 1;
}
