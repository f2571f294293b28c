using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>What an address sends: counted, and given up where nothing comes any more or the connection breaks.</summary>
internal sealed class FetchedStream(Stream body, HttpResponseMessage response, Uri url, TimeSpan silence, Action<int> taken) : ReadOnlyStream
{
    public override int Read(Span<byte> buffer) => throw new NotSupportedException();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(silence);
        try
        {
            int n = await body.ReadAsync(buffer, limit.Token);
            taken(n);
            return n;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw UrlFetcher.Refused(url, $"sent nothing for {silence.TotalSeconds:0} s", "an address that sends to the end");
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw UrlFetcher.Refused(url, $"broke off: {e.Message.TrimEnd('.')}", "an address that sends to the end");
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            body.Dispose();
            response.Dispose();
        }

        base.Dispose(disposing);
    }
}
