using System.Collections.Concurrent;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// Sends blobs as their tickets say, a few parts at once. It remembers which parts of an upload have arrived, so that after a break only the
/// others are sent.
/// </summary>
public sealed class BlobSender(StoreClient store)
{
    private const int AtOnce = 4;
    private readonly ConcurrentDictionary<(string Upload, int Part), PartReceipt> _arrived = new();

    /// <summary>Parts that have arrived, of all uploads: rises with every bit of progress.</summary>
    public int Arrived => _arrived.Count;

    /// <summary>Sends what has not arrived yet.</summary>
    /// <returns>What <see cref="UploadFinish"/> takes; empty when there is nothing to finish.</returns>
    /// <exception cref="TransferException">The store refused a part, or could not be reached.</exception>
    public async Task<IReadOnlyList<PartReceipt>> SendAsync(UploadTicket ticket, string file, CancellationToken cancel)
    {
        string upload = ticket.UploadId ?? "";
        await Parallel.ForEachAsync(
            ticket.Parts.Where(p => ticket.UploadId is null || !_arrived.ContainsKey((upload, p.Number))),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (part, stop) =>
            {
                string? tag = await PutAsync(part, file, stop);
                if (ticket.UploadId is not null)
                {
                    _arrived[(upload, part.Number)] = new PartReceipt(part.Number, tag);
                }
            });
        return ticket.UploadId is null ? [] : [.. ticket.Parts.Select(p => _arrived[(upload, p.Number)])];
    }

    /// <summary>The upload is over, well or not: its parts count no more.</summary>
    public void Forget(UploadTicket ticket)
    {
        foreach (var part in ticket.Parts)
        {
            _arrived.TryRemove((ticket.UploadId ?? "", part.Number), out _);
        }
    }

    private async Task<string?> PutAsync(UploadPart part, string file, CancellationToken cancel)
    {
        string what = part.Number == 1 ? Path.GetFileName(file) : $"part {part.Number} of {Path.GetFileName(file)}";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);

        // Slower than 128 KiB/s counts as stuck.
        limit.CancelAfter(TimeSpan.FromSeconds(30 + (part.Bytes / (128.0 * 1024))));
        try
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 18, useAsync: true);
            stream.Position = part.Offset;
            using var request = new HttpRequestMessage(HttpMethod.Put, new Uri(part.Url, UriKind.RelativeOrAbsolute));
            request.Content = new StreamContent(new Section(stream, part.Bytes), 1 << 18);
            request.Content.Headers.ContentLength = part.Bytes;
            foreach (var (name, value) in part.Headers)
            {
                if (!request.Headers.TryAddWithoutValidation(name, value))
                {
                    request.Content.Headers.TryAddWithoutValidation(name, value);
                }
            }

            using var response = await store.SendAsync(request, what, limit.Token);
            return response.Headers.ETag?.ToString();
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new TransferException(null, $"the upload of {what} stood still", e);
        }
        catch (HttpRequestException e)
        {
            throw new TransferException(null, $"the store cannot be reached: {e.Message}", e);
        }
    }

    /// <summary>The next bytes of a stream, and no more.</summary>
    private sealed class Section(Stream inner, long left) : Stream
    {
        private long _left = left;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int n = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
            _left -= n;
            return n;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int n = inner.Read(buffer, offset, (int)Math.Min(count, _left));
            _left -= n;
            return n;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
