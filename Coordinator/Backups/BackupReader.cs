using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Hearth.Coordinator.Blobs;

namespace Hearth.Coordinator.Backups;

/// <summary>Reads an archive. Nothing of one is used before all of it was read once and found whole.</summary>
internal static class BackupReader
{
    /// <summary>Reads it from end to end.</summary>
    /// <param name="path">Of the archive.</param>
    /// <param name="known">Migrations of this program.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="BackupRefusedException">It is damaged, or of a later version.</exception>
    internal static async Task<(BackupHead Head, BackupContents Contents)> CheckAsync(string path, IReadOnlyCollection<string> known, CancellationToken stop)
    {
        BackupHead? head = null;
        BackupContents? contents = null;
        var found = new Dictionary<string, (long Bytes, string Sha256)>(StringComparer.Ordinal);
        await foreach (var entry in EntriesAsync(path, stop))
        {
            if (head is null)
            {
                head = entry.Name == BackupEntries.Head ? await ReadAsync<BackupHead>(path, entry, stop) : throw Damaged(path, $"it begins with {entry.Name}, not with {BackupEntries.Head}");
                if (head.Refusal(known) is { } refusal)
                {
                    throw new BackupRefusedException(refusal);
                }
            }
            else if (entry.Name == BackupEntries.Contents)
            {
                contents = await ReadAsync<BackupContents>(path, entry, stop);
            }
            else
            {
                found[entry.Name] = (entry.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(entry.DataStream ?? Stream.Null, stop)));
            }
        }

        if (head is null || contents is null)
        {
            throw Damaged(path, $"it ends before its {BackupEntries.Contents}");
        }

        Require(path, found, BackupEntries.Dump, contents.DumpBytes, contents.DumpSha256);
        foreach (var blob in contents.Blobs.Where(b => b.Included))
        {
            Require(path, found, BlobNames.Of(blob.Sha256), blob.Bytes, blob.Sha256);
        }

        return (head, contents);
    }

    /// <summary>Writes the dump and every blob of a checked archive into files.</summary>
    /// <param name="path">Of the archive.</param>
    /// <param name="dumpPath">Where the dump goes.</param>
    /// <param name="storePath">Folder of the store.</param>
    /// <param name="contents">As checked; nothing else is written.</param>
    /// <param name="stop">Ends it.</param>
    internal static async Task ExtractAsync(string path, string dumpPath, string storePath, BackupContents contents, CancellationToken stop)
    {
        var wanted = contents.Blobs.Where(b => b.Included).Select(b => BlobNames.Of(b.Sha256)).ToHashSet(StringComparer.Ordinal);
        await foreach (var entry in EntriesAsync(path, stop))
        {
            string? target = entry.Name == BackupEntries.Dump ? dumpPath : wanted.Contains(entry.Name) ? Path.Combine(storePath, entry.Name) : null;
            if (target is not null)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                await using var file = new FileStream(target, FileMode.CreateNew, FileAccess.Write);
                await (entry.DataStream ?? Stream.Null).CopyToAsync(file, stop);
                file.Flush(flushToDisk: true);
            }
        }
    }

    private static async IAsyncEnumerable<TarEntry> EntriesAsync(string path, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        if (!File.Exists(path))
        {
            throw new BackupRefusedException($"There is no archive {path}.");
        }

        await using var file = File.OpenRead(path);
        await using var tar = new TarReader(file);
        while (await NextAsync(path, tar, stop) is { } entry)
        {
            yield return entry;
        }
    }

    private static async Task<TarEntry?> NextAsync(string path, TarReader tar, CancellationToken stop)
    {
        try
        {
            return await tar.GetNextEntryAsync(copyData: false, stop);
        }
        catch (Exception e) when (e is IOException or FormatException or InvalidDataException or ArgumentException)
        {
            throw Damaged(path, e.Message, e);
        }
    }

    private static async Task<T> ReadAsync<T>(string path, TarEntry entry, CancellationToken stop)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<T>(entry.DataStream ?? Stream.Null, Json.Wire, stop) ?? throw Damaged(path, $"its {entry.Name} is empty");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw Damaged(path, $"its {entry.Name} cannot be read: {e.Message}", e);
        }
    }

    private static void Require(string path, Dictionary<string, (long Bytes, string Sha256)> found, string name, long bytes, string sha256)
    {
        if (!found.TryGetValue(name, out var actual))
        {
            throw Damaged(path, $"{name} is missing");
        }

        if (actual != (bytes, sha256))
        {
            throw Damaged(path, $"{name} has other bytes than were written");
        }
    }

    private static BackupRefusedException Damaged(string path, string how, Exception? inner = null) => new($"The archive {path} is damaged: {how.TrimEnd('.')}. Nothing was restored.", inner);
}
