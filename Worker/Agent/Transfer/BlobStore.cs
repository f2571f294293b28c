using System.Collections.Concurrent;
using System.Security.Cryptography;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// Blobs by SHA-256 in a cache on disk, brought from the store when they are needed.
/// </summary>
public sealed class BlobStore : IDisposable
{
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new(StringComparer.Ordinal);
    private readonly string _root;
    private readonly AgentTimings _timings;

    /// <param name="root">Folder of the cache.</param>
    /// <param name="coordinator">What relative addresses are relative to.</param>
    /// <param name="timings">Pauses between tries.</param>
    public BlobStore(string root, Uri coordinator, AgentTimings timings)
    {
        _root = root;
        Store = new StoreClient(coordinator);
        _timings = timings;
        Directory.CreateDirectory(PartialPath);
    }

    /// <summary>The store itself.</summary>
    public StoreClient Store { get; }

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

            string partial = Path.Combine(PartialPath, blob.Sha256.ToLowerInvariant());
            await new BlobDownload(Store, blob, partial, _timings).RunAsync(received, cancel);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Move(partial, path, overwrite: true);
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

    public void Dispose() => Store.Dispose();

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
}
