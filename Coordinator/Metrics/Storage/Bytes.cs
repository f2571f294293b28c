namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>Bytes one behind the other, with integers as varints: seven bits a byte, the low ones first, signs folded in.</summary>
internal sealed class ByteWriter
{
    private byte[] _bytes = new byte[256];
    private int _length;

    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    /// <summary>Small numbers of either sign as small numbers without: 0, -1, 1, -2, …</summary>
    internal static ulong ZigZag(long value) => (ulong)((value << 1) ^ (value >> 63));

    internal static long UnZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);

    internal void Byte(byte value) => Take(1)[0] = value;

    internal void Unsigned(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Byte((byte)(value | 0x80));
        }

        Byte((byte)value);
    }

    internal void Signed(long value) => Unsigned(ZigZag(value));

    /// <summary>The next bytes, to be filled at once.</summary>
    internal Span<byte> Take(int count)
    {
        if (_bytes.Length - _length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
        }

        _length += count;
        return _bytes.AsSpan(_length - count, count);
    }
}

/// <summary>Reads what <see cref="ByteWriter"/> wrote. Every method throws <see cref="InvalidDataException"/> where the bytes end too soon.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _left = bytes;

    internal readonly ReadOnlySpan<byte> Rest() => _left;

    internal byte Byte() => Take(1)[0];

    internal ulong Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte next = Byte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number goes on for more than ten bytes.");
    }

    internal long Signed() => ByteWriter.UnZigZag(Unsigned());

    /// <summary>A number that counts something, at most so many.</summary>
    internal int Count(int most) => Unsigned() is var count && count <= (ulong)most
        ? (int)count
        : throw new InvalidDataException($"A count is {count} and may be {most} at most.");

    internal ReadOnlySpan<byte> Take(int count)
    {
        if (_left.Length < count)
        {
            throw new InvalidDataException($"{count} bytes were to follow, and there are {_left.Length}.");
        }

        var taken = _left[..count];
        _left = _left[count..];
        return taken;
    }
}
