namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>A stream that gives bytes first which were read already, to look at them.</summary>
internal sealed class HeadStream(ReadOnlyMemory<byte> head, Stream rest) : ReadOnlyStream
{
    private ReadOnlyMemory<byte> _head = head;

    /// <summary>Reads the beginning of a stream.</summary>
    /// <returns>The beginning, and the whole stream from its start.</returns>
    public static async Task<(ReadOnlyMemory<byte> Head, Stream Whole)> PeekAsync(Stream stream, CancellationToken stop)
    {
        byte[] head = new byte[ContentKinds.HeadBytes];
        int read = await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, stop);
        var taken = head.AsMemory(0, read);
        if (!stream.CanSeek)
        {
            return (taken, new HeadStream(taken, stream));
        }

        stream.Position -= read;
        return (taken, stream);
    }

    public override int Read(Span<byte> buffer) => Take(buffer) is > 0 and var n ? n : rest.Read(buffer);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Take(buffer.Span) is > 0 and var n ? ValueTask.FromResult(n) : rest.ReadAsync(buffer, cancellationToken);

    private int Take(Span<byte> buffer)
    {
        int n = Math.Min(buffer.Length, _head.Length);
        _head.Span[..n].CopyTo(buffer);
        _head = _head[n..];
        return n;
    }
}
