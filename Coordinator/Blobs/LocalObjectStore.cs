using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Hearth.Data;
using Hearth.Protocol;
using Microsoft.AspNetCore.Connections;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Blobs as files of one folder, the embedded default. A blob is written to a temporary file while it is hashed, forced to disk,
/// and renamed: whatever is under a blob's name is complete. The folder is made when it is marked and never again: one that is gone
/// is a disk that is not mounted, and what was written to the empty mount point would be lost.
/// </summary>
public sealed class LocalObjectStore : IObjectStore
{
    private const int BufferBytes = 1 << 18;
    private readonly string _root;
    private readonly AddressSigner _signer;

    public LocalObjectStore(string root, AddressSigner signer)
    {
        (_root, _signer) = (root, signer);

        // What a killed process left behind; younger files may belong to another coordinator on this folder. Young by the store's own
        // clock, which is that of the newest file there.
        var left = Directory.Exists(Incoming) ? new DirectoryInfo(Incoming).GetFiles() : [];
        var newest = left.Select(f => f.LastWriteTimeUtc).DefaultIfEmpty().Max();
        foreach (var old in left.Where(f => f.LastWriteTimeUtc < newest.AddDays(-1)))
        {
            old.Delete();
        }
    }

    public string Name => $"the folder {_root}";

    private string Incoming => Path.Combine(_root, "incoming");

    private string MarkPath => Path.Combine(_root, StoreIdentity.FileName);

    public Task<StoreIdentity?> IdentityAsync(CancellationToken stop) => GuardAsync(async () =>
        File.Exists(MarkPath) ? StoreIdentity.Parse(await File.ReadAllBytesAsync(MarkPath, stop), Name) : null);

    public Task MarkAsync(StoreIdentity identity, CancellationToken stop) => GuardAsync(async () =>
    {
        Directory.CreateDirectory(_root);
        string fresh = $"{MarkPath}.{Guid.NewGuid():N}";
        try
        {
            await using (var file = new FileStream(fresh, FileMode.CreateNew, FileAccess.Write))
            {
                await file.WriteAsync(identity.ToBytes(), stop);
                file.Flush(flushToDisk: true);
            }

            File.Move(fresh, MarkPath, overwrite: true);
        }
        finally
        {
            File.Delete(fresh);
        }

        Folders.Sync(_root);
        return true;
    });

    public Task PutAsync(string sha256, Stream content, CancellationToken stop) => GuardAsync(async () =>
    {
        RequireMark();
        string path = PathOf(sha256), temporary = Path.Combine(Incoming, $"{sha256[..16]}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Incoming);
        try
        {
            BlobNames.Require(sha256, await WriteAsync(temporary, content, stop));

            string folder = Path.GetDirectoryName(path)!;
            Directory.CreateDirectory(folder);
            File.Move(temporary, path, overwrite: true);
            Folders.Sync(folder);
            return true;
        }
        finally
        {
            File.Delete(temporary);
        }
    });

    public Task<Stream?> GetAsync(string sha256, CancellationToken stop) => GuardAsync<Stream?>(() =>
    {
        try
        {
            return Task.FromResult<Stream?>(new FileStream(PathOf(sha256), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, BufferBytes, useAsync: true));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            RequireMark();
            return Task.FromResult<Stream?>(null);
        }
    });

    public Task<StoredBlob?> StatAsync(string sha256, CancellationToken stop) => GuardAsync(() =>
    {
        var file = new FileInfo(PathOf(sha256));
        if (!file.Exists)
        {
            RequireMark();
        }

        return Task.FromResult(file.Exists ? new StoredBlob(sha256, file.Length) : null);
    });

    public async IAsyncEnumerable<StoredBlob> ListAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var folder = new DirectoryInfo(Path.Combine(_root, BlobNames.Prefix));
        foreach (var file in folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories) : [])
        {
            stop.ThrowIfCancellationRequested();
            if (BlobNames.IsSha256(file.Name))
            {
                yield return new StoredBlob(file.Name, file.Length);
            }
        }

        await Task.CompletedTask;
    }

    public Task DeleteAsync(string sha256, CancellationToken stop) => GuardAsync(() =>
    {
        RequireMark();
        string path = PathOf(sha256);
        if (File.Exists(path))
        {
            File.Delete(path);
        }

        return Task.FromResult(true);
    });

    public Task<string> SignGetAsync(string sha256, TimeSpan life, string? fileName = null) => Task.FromResult(_signer.Get(sha256, life, fileName));

    public Task<UploadTicket> SignPutAsync(string sha256, long bytes, TimeSpan life) => Task.FromResult(PartLayout.Single(sha256, bytes, _signer.Put(sha256, bytes, life)));

    public Task<PartsUpload> BeginAsync(string sha256, CancellationToken stop) => Task.FromResult(new PartsUpload(sha256, Guid.NewGuid().ToString("N")));

    public Task<UploadTicket> SignPartsAsync(PartsUpload upload, IReadOnlyList<PartRange> parts, TimeSpan life) => Task.FromResult(new UploadTicket(
        upload.Sha256, [.. parts.Select(p => new UploadPart(p.Number, p.Offset, p.Bytes, _signer.Part(upload, p, life), PartLayout.NoHeaders))], upload.Id));

    /// <summary>Writes one part to its place in the file that becomes the blob.</summary>
    /// <exception cref="WrongContentException">Fewer bytes came than announced.</exception>
    public Task PutPartAsync(PartsUpload upload, PartRange part, Stream content, CancellationToken stop) => GuardAsync(async () =>
    {
        RequireMark();
        Directory.CreateDirectory(Incoming);
        await using var file = new FileStream(PartsPath(upload), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0, useAsync: true);
        file.Position = part.Offset;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long left = part.Bytes;
            for (int n; left > 0 && (n = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), stop)) > 0; left -= n)
            {
                await file.WriteAsync(buffer.AsMemory(0, n), stop);
            }

            return left == 0 ? true : throw new WrongContentException($"Part {part.Number} ended {left:N0} bytes early.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    });

    public Task FinishAsync(PartsUpload upload, IReadOnlyList<PartReceipt> parts, CancellationToken stop) => GuardAsync(async () =>
    {
        RequireMark();
        string path = PathOf(upload.Sha256), temporary = PartsPath(upload);
        if (!File.Exists(temporary))
        {
            throw new UnknownUploadException("The store has no parts of this upload.");
        }

        string actual;
        await using (var file = new FileStream(temporary, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, BufferBytes, useAsync: true))
        {
            actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, stop));
            file.Flush(flushToDisk: true);
        }

        if (actual != upload.Sha256)
        {
            File.Delete(temporary);
            throw new WrongContentException($"The parts together have SHA-256 {actual}. Allowed: {upload.Sha256}.");
        }

        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        File.Move(temporary, path, overwrite: true);
        Folders.Sync(folder);
        return true;
    });

    public Task AbandonAsync(PartsUpload upload, CancellationToken stop) => GuardAsync(() =>
    {
        RequireMark();
        if (File.Exists(PartsPath(upload)))
        {
            File.Delete(PartsPath(upload));
        }

        return Task.FromResult(true);
    });

    /// <summary>The file of a blob, whether it exists or not.</summary>
    internal string PathOf(string sha256) => Path.Combine(_root, BlobNames.Of(sha256));

    /// <exception cref="StoreAwayException">The folder is not the store: its disk is not mounted, or it was moved away.</exception>
    internal void RequireMark()
    {
        if (!File.Exists(MarkPath))
        {
            throw new StoreAwayException($"The object store ({Name}) has no {StoreIdentity.FileName}: is its disk mounted?");
        }
    }

    // A disk that fails says nothing about a blob.
    private async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            throw new StoreFullException($"The disk of the object store is full: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && e is not (BadHttpRequestException or ConnectionResetException))
        {
            // The last two are the sender's, whose bytes are read here.
            throw new StoreAwayException($"The object store ({Name}) cannot be used: {e.Message}", e);
        }
    }

    // The id comes back from outside, so it is read as what it is.
    private string PartsPath(PartsUpload upload) => Path.Combine(Incoming, $"{upload.Sha256[..16]}-{Guid.ParseExact(upload.Id, "N"):N}.parts");

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
