using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Hearth.Data;

namespace Hearth.Coordinator.Storage;

/// <summary>
/// Blobs as files of one folder, the embedded default. A blob is written to a temporary file while it is hashed, forced to disk,
/// and renamed: whatever is under a blob's name is complete.
/// </summary>
public sealed class LocalObjectStore : IObjectStore
{
    private const int BufferBytes = 1 << 18;

    // ENOSPC and EDQUOT of Linux, ERROR_DISK_FULL of Windows, as .NET passes them on.
    private static readonly int[] FullCodes = [28, 122, unchecked((int)0x80070070)];
    private readonly string _root;
    private readonly AddressSigner _signer;

    public LocalObjectStore(string root, AddressSigner signer)
    {
        (_root, _signer) = (root, signer);
        Directory.CreateDirectory(Incoming);

        // What a killed process left behind; younger files may belong to another coordinator on this folder.
        foreach (string left in Directory.EnumerateFiles(Incoming).Where(f => File.GetLastWriteTimeUtc(f) < DateTime.UtcNow.AddDays(-1)))
        {
            File.Delete(left);
        }
    }

    private string Incoming => Path.Combine(_root, "incoming");

    public async Task PutAsync(string sha256, Stream content, CancellationToken stop)
    {
        string path = PathOf(sha256), temporary = Path.Combine(Incoming, $"{sha256[..16]}-{Guid.NewGuid():N}");
        try
        {
            string actual = await WriteAsync(temporary, content, stop);
            if (actual != sha256)
            {
                throw new WrongContentException($"The content has SHA-256 {actual}. Allowed: {sha256}.");
            }

            string folder = Path.GetDirectoryName(path)!;
            Directory.CreateDirectory(folder);
            File.Move(temporary, path, overwrite: true);
            Folders.Sync(folder);
        }
        catch (IOException e) when (IsFull(e))
        {
            throw new StoreFullException($"The disk of the object store is full: {e.Message}", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    public Task<Stream?> GetAsync(string sha256, CancellationToken stop)
    {
        try
        {
            return Task.FromResult<Stream?>(new FileStream(PathOf(sha256), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, BufferBytes, useAsync: true));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Task.FromResult<Stream?>(null);
        }
    }

    public Task<StoredBlob?> StatAsync(string sha256, CancellationToken stop)
    {
        var file = new FileInfo(PathOf(sha256));
        return Task.FromResult(file.Exists ? Describe(file) : null);
    }

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var folder = new DirectoryInfo(Path.Combine(_root, BlobNames.Prefix));
        foreach (var file in folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories) : [])
        {
            stop.ThrowIfCancellationRequested();
            if (BlobNames.IsSha256(file.Name))
            {
                yield return Describe(file);
            }
        }

        await Task.CompletedTask;
    }

    public Task DeleteAsync(string sha256, CancellationToken stop)
    {
        string path = PathOf(sha256);
        if (File.Exists(path))
        {
            File.Delete(path);
        }

        return Task.CompletedTask;
    }

    public Task<string> SignGetAsync(string sha256, TimeSpan life, string? fileName = null) => Task.FromResult(_signer.Get(sha256, life, fileName));

    public Task<string> SignPutAsync(string sha256, long bytes, TimeSpan life) => Task.FromResult(_signer.Put(sha256, bytes, life));

    /// <summary>Whether a write failed because the disk or a quota is full.</summary>
    internal static bool IsFull(IOException e) => FullCodes.Contains(e.HResult);

    /// <summary>The file of a blob, whether it exists or not.</summary>
    internal string PathOf(string sha256) => Path.Combine(_root, BlobNames.Of(sha256));

    private static StoredBlob Describe(FileInfo file) => new(file.Name, file.Length, new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero));

    private static async Task<string> WriteAsync(string path, Stream content, CancellationToken stop)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);
            for (int n; (n = await content.ReadAsync(buffer, stop)) > 0;)
            {
                hash.AppendData(buffer, 0, n);
                await file.WriteAsync(buffer.AsMemory(0, n), stop);
            }

            file.Flush(flushToDisk: true);
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
