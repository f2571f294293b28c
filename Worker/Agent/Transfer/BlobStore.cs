using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// Blobs by SHA-256: downloads into a cache on disk, uploads from files. Addresses are signed, so no token is sent with them.
/// </summary>
public sealed class BlobStore : IDisposable
{
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(20);
    private readonly HttpClient _http = new(CoordinatorClient.Handler()) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new(StringComparer.Ordinal);
    private readonly string _root;
    private readonly Uri _coordinator;
    private readonly AgentTimings _timings;

    /// <param name="root">Folder of the cache.</param>
    /// <param name="coordinator">What relative addresses are relative to.</param>
    /// <param name="timings">Pauses between tries.</param>
    public BlobStore(string root, Uri coordinator, AgentTimings timings)
    {
        _root = root;
        _coordinator = coordinator;
        _timings = timings;
        Directory.CreateDirectory(PartialPath);
    }

    private string PartialPath => Path.Combine(_root, "partial");

    /// <summary>
    /// Brings a blob into the cache and returns its path. Cached bytes are verified again, a cut download is resumed,
    /// and a network that is away is waited for.
    /// </summary>
    /// <exception cref="CorruptBlobException">The store's bytes have another hash or length, or it has none.</exception>
    /// <exception cref="TransferException">The store refuses, or keeps failing.</exception>
    public async Task<string> GetAsync(BlobRef blob, Action<long> received, CancellationToken cancel)
    {
        var path = CachedPath(blob.Sha256);
        var gate = _gates.GetOrAdd(blob.Sha256, _ => new SemaphoreSlim(1, 1));
        await gate.WaitAsync(cancel);
        try
        {
            if (await IsWholeAsync(path, blob, cancel))
            {
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
                received(blob.Bytes);
                return path;
            }

            await DownloadWithRetriesAsync(blob, path, received, cancel);
            return path;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Takes a local file into the cache under its hash, by link: a resume on this worker then needs no download.</summary>
    public void Keep(string file, string sha256)
    {
        var path = CachedPath(sha256);
        if (!File.Exists(path))
        {
            FileLink.LinkOrCopy(file, path);
        }
    }

    /// <summary>Forgets cached blobs; one that is needed after all is downloaded again.</summary>
    public void Drop(IEnumerable<string> hashes)
    {
        foreach (var sha256 in hashes)
        {
            File.Delete(CachedPath(sha256));
        }
    }

    /// <summary>Removes the blobs used longest ago until the cache is no larger than <paramref name="limitBytes"/>.</summary>
    public void Trim(long limitBytes)
    {
        var files = new DirectoryInfo(_root).EnumerateFiles("*", SearchOption.AllDirectories).OrderByDescending(f => f.LastWriteTimeUtc).ToList();
        var kept = 0L;
        foreach (var file in files)
        {
            kept += file.Length;
            if (kept > limitBytes)
            {
                file.Delete();
            }
        }
    }

    /// <summary>Uploads a file once.</summary>
    /// <exception cref="TransferException">The store refused, or could not be reached.</exception>
    public async Task PutAsync(string url, string file, CancellationToken cancel)
    {
        var length = new FileInfo(file).Length;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);

        // Slower than 128 KiB/s counts as stuck.
        limit.CancelAfter(TimeSpan.FromSeconds(30 + (length / (128.0 * 1024))));
        try
        {
            await using var stream = File.OpenRead(file);
            using var content = new StreamContent(stream, 1 << 18);
            content.Headers.ContentLength = length;
            using var response = await _http.PutAsync(new Uri(_coordinator, url), content, limit.Token);
            if (!response.IsSuccessStatusCode)
            {
                throw new TransferException(response.StatusCode, $"the store answered {(int)response.StatusCode} {Reason(response.StatusCode)}");
            }
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new TransferException(null, $"the upload of {Path.GetFileName(file)} stood still", e);
        }
        catch (HttpRequestException e)
        {
            throw new TransferException(null, $"the store cannot be reached: {e.Message}", e);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Lower-case hex SHA-256 of a file.</summary>
    public static async Task<string> HashAsync(string file, CancellationToken cancel)
    {
        await using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel));
    }

    private string CachedPath(string sha256) =>
        sha256.Length == 64 && sha256.All(char.IsAsciiHexDigit)
            ? Path.Combine(_root, sha256[..2].ToLowerInvariant(), sha256.ToLowerInvariant())
            : throw new CorruptBlobException(sha256, "not a SHA-256");

    private static async Task<bool> IsWholeAsync(string path, BlobRef blob, CancellationToken cancel)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        if (new FileInfo(path).Length == blob.Bytes
            && string.Equals(await HashAsync(path, cancel), blob.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        File.Delete(path);
        return false;
    }

    private async Task DownloadWithRetriesAsync(BlobRef blob, string path, Action<long> received, CancellationToken cancel)
    {
        var partial = Path.Combine(PartialPath, blob.Sha256.ToLowerInvariant());
        for (int failures = 0, answers = 0; ;)
        {
            var resumed = File.Exists(partial) && new FileInfo(partial).Length > 0;
            try
            {
                await DownloadAsync(blob, partial, received, cancel);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.Move(partial, path, overwrite: true);
                return;
            }
            catch (CorruptBlobException) when (resumed)
            {
                // The fault may be in the part from an earlier start; the next try begins at byte 0.
            }
            catch (TransferException e) when (e.IsTransient && (e.Status is null || ++answers < _timings.UploadTries))
            {
                await Task.Delay(_timings.Retry(++failures), cancel);
            }
        }
    }

    private async Task DownloadAsync(BlobRef blob, string partial, Action<long> received, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            await using var file = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            var start = await HashStartAsync(file, blob.Bytes, hash, cancel);
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_coordinator, blob.Url));
            if (start > 0)
            {
                request.Headers.Range = new RangeHeaderValue(start, null);
            }

            limit.CancelAfter(Stall);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (!response.IsSuccessStatusCode)
            {
                throw Refusal(blob, response.StatusCode);
            }

            if (start > 0 && response.StatusCode != HttpStatusCode.PartialContent)
            {
                hash.GetHashAndReset();
                file.SetLength(0);
                start = 0;
            }

            await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
            var buffer = new byte[1 << 18];
            var total = start;
            for (int n; (n = await body.ReadAsync(buffer, limit.Token)) > 0; total += n, limit.CancelAfter(Stall))
            {
                hash.AppendData(buffer, 0, n);
                await file.WriteAsync(buffer.AsMemory(0, n), cancel);
                received(total + n);
            }

            await file.FlushAsync(cancel);
            if (total < blob.Bytes)
            {
                throw new TransferException(null, $"{blob.Name} ended at byte {total} of {blob.Bytes}");
            }

            Verify(blob, total, hash, file);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new TransferException(null, $"the download of {blob.Name} stood still", e);
        }
        catch (Exception e) when (e is HttpRequestException or HttpIOException)
        {
            throw new TransferException(null, $"the store cannot be reached: {e.Message}", e);
        }
    }

    private static async Task<long> HashStartAsync(FileStream file, long most, IncrementalHash hash, CancellationToken cancel)
    {
        if (file.Length >= most)
        {
            file.SetLength(0);
        }

        var buffer = new byte[1 << 18];
        for (int n; (n = await file.ReadAsync(buffer, cancel)) > 0;)
        {
            hash.AppendData(buffer, 0, n);
        }

        return file.Length;
    }

    private static void Verify(BlobRef blob, long total, IncrementalHash hash, FileStream file)
    {
        var found = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (total == blob.Bytes && string.Equals(found, blob.Sha256, StringComparison.OrdinalIgnoreCase))
        {
            return;
        }

        file.SetLength(0);
        throw new CorruptBlobException(blob.Name, $"its SHA-256 is {found[..12]}… over {total} bytes, expected {blob.Sha256[..12]}… over {blob.Bytes}");
    }

    private static Exception Refusal(BlobRef blob, HttpStatusCode status) => status switch
    {
        HttpStatusCode.NotFound or HttpStatusCode.Gone => new CorruptBlobException(blob.Name, "the store no longer has it"),
        _ => new TransferException(status, $"the store answered {(int)status} {Reason(status)} for {blob.Name}"),
    };

    private static string Reason(HttpStatusCode status) => status == HttpStatusCode.InsufficientStorage ? "(it is full)" : status.ToString();
}
