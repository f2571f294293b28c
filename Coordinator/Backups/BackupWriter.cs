using System.Formats.Tar;
using System.Security.Cryptography;
using Hearth.Coordinator.Blobs;
using Hearth.Data;

namespace Hearth.Coordinator.Backups;

/// <summary>Writes an archive beside its place and renames it, so that whatever has the name is whole. Only its owner can read it.</summary>
internal static class BackupWriter
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <param name="path">Of the archive; nothing may be there.</param>
    /// <param name="head">Its first entry.</param>
    /// <param name="dumpPath">The database's dump.</param>
    /// <param name="blobs">Everything that the database refers to.</param>
    /// <param name="fileOf">File of a blob; null leaves the bytes of all out.</param>
    /// <param name="stop">Ends it; nothing is left then.</param>
    /// <returns>What is in it. A blob whose file is missing or damaged is listed and left out.</returns>
    /// <exception cref="IOException">The file exists, or cannot be written.</exception>
    internal static async Task<BackupContents> WriteAsync(
        string path, BackupHead head, string dumpPath, IReadOnlyList<FileRefBytes> blobs, Func<string, string>? fileOf, CancellationToken stop)
    {
        string folder = Path.GetDirectoryName(path)!, fresh = $"{path}.{Guid.NewGuid():N}.part";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        try
        {
            BackupContents contents;
            await using (var file = new FileStream(fresh, options))
            {
                await using (var tar = new TarWriter(file, TarEntryFormat.Pax, leaveOpen: true))
                {
                    await AddAsync(tar, BackupEntries.Head, new MemoryStream(BackupEntries.Json(head)), stop);
                    await AddFileAsync(tar, BackupEntries.Dump, dumpPath, stop);
                    var listed = new List<BackupBlob>();
                    foreach (var blob in blobs)
                    {
                        bool whole = fileOf is not null && await IsWholeAsync(fileOf(blob.Sha256), blob, stop);
                        if (whole)
                        {
                            await AddFileAsync(tar, BlobNames.Of(blob.Sha256), fileOf!(blob.Sha256), stop);
                        }

                        listed.Add(new BackupBlob(blob.Sha256, blob.Bytes, whole));
                    }

                    contents = new BackupContents(new FileInfo(dumpPath).Length, await HashAsync(dumpPath, stop), listed);
                    await AddAsync(tar, BackupEntries.Contents, new MemoryStream(BackupEntries.Json(contents)), stop);
                }

                file.Flush(flushToDisk: true);
            }

            File.Move(fresh, path, overwrite: false);
            Folders.Sync(folder);
            return contents;
        }
        finally
        {
            File.Delete(fresh);
        }
    }

    private static async Task<bool> IsWholeAsync(string path, FileRefBytes blob, CancellationToken stop) =>
        File.Exists(path) && new FileInfo(path).Length == blob.Bytes && await HashAsync(path, stop) == blob.Sha256;

    private static async Task<string> HashAsync(string path, CancellationToken stop)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, stop));
    }

    private static async Task AddFileAsync(TarWriter tar, string name, string path, CancellationToken stop)
    {
        await using var file = File.OpenRead(path);
        await AddAsync(tar, name, file, stop);
    }

    private static Task AddAsync(TarWriter tar, string name, Stream content, CancellationToken stop) =>
        tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = content, Mode = OwnerOnly }, stop);
}

/// <summary>A blob by name and length.</summary>
internal sealed record FileRefBytes(string Sha256, long Bytes);
