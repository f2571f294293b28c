using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// One blob on its way into a file, in ranges of which a few are fetched at once. A cut connection costs what was in flight; what an
/// earlier start of the agent had finished is noted beside the file, by range. Only the hash of the whole says that it is whole.
/// </summary>
public sealed class BlobDownload
{
    /// <summary>Bytes of a range.</summary>
    public const long PartBytes = 32 << 20;
    private const int AtOnce = 4;
    private const int Starts = 2;
    private readonly StoreClient _store;
    private readonly BlobRef _blob;
    private readonly string _file;
    private readonly long _partBytes;
    private readonly AgentTimings _timings;
    private readonly Lock _gate = new();
    private readonly long[] _received;

    /// <param name="store">From where.</param>
    /// <param name="blob">What.</param>
    /// <param name="file">To where; its notes lie beside it.</param>
    /// <param name="timings">Pauses between tries.</param>
    /// <param name="partBytes">Length of a range.</param>
    public BlobDownload(StoreClient store, BlobRef blob, string file, AgentTimings timings, long partBytes = PartBytes)
    {
        (_store, _blob, _file, _timings, _partBytes) = (store, blob, file, timings, partBytes);
        _received = new long[Math.Max(1, (blob.Bytes + _partBytes - 1) / _partBytes)];
    }

    private string NotesPath => _file + ".parts";

    /// <summary>Brings the blob, however often the connection breaks. A network that is away is waited for.</summary>
    /// <exception cref="CorruptBlobException">The store has no such blob, or gave twice bytes of another hash.</exception>
    /// <exception cref="TransferException">The store refuses, or keeps failing.</exception>
    public async Task RunAsync(Action<long> received, CancellationToken cancel)
    {
        for (int start = 1; ; start++)
        {
            ReadNotes();
            await using (var file = new FileStream(_file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, useAsync: true))
            {
                file.SetLength(_blob.Bytes);
                await Parallel.ForEachAsync(
                    Enumerable.Range(0, _received.Length).Where(i => _received[i] < LengthOf(i)),
                    new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
                    async (part, stop) => await FetchAsync(part, file, received, stop));
            }

            File.Delete(NotesPath);
            string found = await BlobStore.HashAsync(_file, cancel);
            if (string.Equals(found, _blob.Sha256, StringComparison.OrdinalIgnoreCase))
            {
                received(_blob.Bytes);
                return;
            }

            // The fault may be in what an earlier start left, or have happened on the way.
            File.Delete(_file);
            Array.Clear(_received);
            if (start == Starts)
            {
                throw new CorruptBlobException(_blob.Name, $"its SHA-256 is {found[..12]}… over {_blob.Bytes} bytes, expected {_blob.Sha256[..12]}…");
            }
        }
    }

    private long LengthOf(int part) => Math.Min(_partBytes, _blob.Bytes - (part * _partBytes));

    private async Task FetchAsync(int part, FileStream file, Action<long> received, CancellationToken cancel)
    {
        for (int failures = 0, answers = 0; _received[part] < LengthOf(part);)
        {
            long before = _received[part];
            try
            {
                await FetchOnceAsync(part, file, received, cancel);
            }
            catch (TransferException e) when (e.IsTransient && (e.Status is null || ++answers < _timings.UploadTries))
            {
                (failures, answers) = _received[part] > before ? (1, 0) : (failures + 1, answers);
                await Task.Delay(_timings.Retry(failures), cancel);
            }
        }

        Note(part);
    }

    private async Task FetchOnceAsync(int part, FileStream file, Action<long> received, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(StoreClient.Stall);
        long at = (part * _partBytes) + _received[part], end = (part * _partBytes) + LengthOf(part);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_blob.Url, UriKind.RelativeOrAbsolute));
            request.Headers.Range = new RangeHeaderValue(at, end - 1);
            using var response = await _store.SendAsync(request, _blob.Name, limit.Token);
            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            byte[] buffer = new byte[1 << 18];

            // A proxy may answer the whole for a range.
            for (long skip = response.StatusCode == HttpStatusCode.PartialContent ? 0 : at; skip > 0; limit.CancelAfter(StoreClient.Stall))
            {
                int n = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, skip)), limit.Token);
                skip = n > 0 ? skip - n : throw new TransferException(null, $"{_blob.Name} ended before byte {at}");
            }

            while (at < end)
            {
                int n = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at)), limit.Token);
                if (n == 0)
                {
                    throw new TransferException(null, $"{_blob.Name} ended at byte {at} of {_blob.Bytes}");
                }

                await RandomAccess.WriteAsync(file.SafeFileHandle, buffer.AsMemory(0, n), at, cancel);
                at += n;
                received(Add(part, n));
                limit.CancelAfter(StoreClient.Stall);
            }
        }
        catch (TransferException e) when (e.Status is HttpStatusCode.NotFound or HttpStatusCode.Gone)
        {
            throw new CorruptBlobException(_blob.Name, "the store no longer has it");
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new TransferException(null, $"the download of {_blob.Name} stood still", e);
        }
        catch (Exception e) when (e is HttpRequestException or HttpIOException)
        {
            throw new TransferException(null, $"the store cannot be reached: {e.Message}", e);
        }
    }

    private long Add(int part, long bytes)
    {
        lock (_gate)
        {
            _received[part] += bytes;
            return _received.Sum();
        }
    }

    private void Note(int part)
    {
        if (_received.Length > 1)
        {
            lock (_gate)
            {
                File.AppendAllText(NotesPath, string.Create(CultureInfo.InvariantCulture, $"{part} {_partBytes}\n"));
            }
        }
    }

    private void ReadNotes()
    {
        if (!File.Exists(_file) || new FileInfo(_file).Length != _blob.Bytes || !File.Exists(NotesPath))
        {
            File.Delete(NotesPath);
            return;
        }

        foreach (string[] words in File.ReadLines(NotesPath).Select(l => l.Split(' ')))
        {
            if (words is [var number, var bytes] && int.TryParse(number, CultureInfo.InvariantCulture, out int part) && part >= 0 && part < _received.Length
                && long.TryParse(bytes, CultureInfo.InvariantCulture, out long length) && length == _partBytes)
            {
                _received[part] = LengthOf(part);
            }
        }
    }
}
