namespace Hearth.Tokenizers;

/// <summary>Bytes that grow.</summary>
internal sealed class ByteBuffer(int capacity)
{
    private byte[] _bytes = new byte[capacity];
    private int _length;

    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    internal void Add(byte value)
    {
        Reserve(1);
        _bytes[_length++] = value;
    }

    internal void Add(ReadOnlySpan<byte> values)
    {
        Reserve(values.Length);
        values.CopyTo(_bytes.AsSpan(_length));
        _length += values.Length;
    }

    internal void TrimEnd(ReadOnlySpan<byte> end)
    {
        while (Written.EndsWith(end))
        {
            _length -= end.Length;
        }
    }

    private void Reserve(int more)
    {
        if (_length + more > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_length + more, _bytes.Length * 2));
        }
    }
}
