using System.IO.Compression;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>
/// Unpacks gzip (RFC 1952) and holds it to its end, which <see cref="GZipStream"/> does not: it takes a file that is cut off anywhere for a whole one. A last
/// member of a known text is put behind the file; only behind a whole file it comes out.
/// </summary>
internal sealed class WholeGzip : ReadOnlyStream
{
    private static readonly byte[] Mark = [.. "hearth: the end "u8];
    private static readonly byte[] Member = Pack(Mark);
    private readonly GZipStream _gzip;
    private readonly byte[] _held = new byte[Mark.Length];
    private readonly byte[] _fresh = new byte[1 << 16];
    private int _heldBytes;

    public WholeGzip(Stream packed) => _gzip = new GZipStream(new ThenStream(packed, Member), CompressionMode.Decompress);

    public override int Read(Span<byte> buffer) => throw new NotSupportedException();

    /// <exception cref="InvalidDataException">The file is broken, or ended too soon.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        // What could be the mark is held back until more comes.
        while (true)
        {
            int n = await _gzip.ReadAsync(_fresh.AsMemory(0, Math.Min(buffer.Length, _fresh.Length)), cancellationToken);
            if (n == 0)
            {
                return _held.AsSpan(0, _heldBytes).SequenceEqual(Mark) ? 0 : throw new InvalidDataException("its end is missing");
            }

            int given = Math.Max(0, _heldBytes + n - Mark.Length), ofHeld = Math.Min(given, _heldBytes);
            _held.AsSpan(0, ofHeld).CopyTo(buffer.Span);
            _fresh.AsSpan(0, given - ofHeld).CopyTo(buffer.Span[ofHeld..]);
            _held.AsSpan(ofHeld, _heldBytes - ofHeld).CopyTo(_held);
            _heldBytes -= ofHeld;
            _fresh.AsSpan(given - ofHeld, n - (given - ofHeld)).CopyTo(_held.AsSpan(_heldBytes));
            _heldBytes += n - (given - ofHeld);
            if (given > 0)
            {
                return given;
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _gzip.Dispose();
        }

        base.Dispose(disposing);
    }

    private static byte[] Pack(byte[] text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(text);
        }

        return packed.ToArray();
    }

    /// <summary>A stream with bytes behind it.</summary>
    private sealed class ThenStream(Stream first, byte[] then) : ReadOnlyStream
    {
        private int _given;

        public override int Read(Span<byte> buffer) => first.Read(buffer) is > 0 and var n ? n : Then(buffer);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await first.ReadAsync(buffer, cancellationToken) is > 0 and var n ? n : Then(buffer.Span);

        private int Then(Span<byte> buffer)
        {
            int n = Math.Min(buffer.Length, then.Length - _given);
            then.AsSpan(_given, n).CopyTo(buffer);
            _given += n;
            return n;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                first.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
