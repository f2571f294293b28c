using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.CompilerServices;

namespace Hearth.Coordinator.Datasets.Sources;

/// <summary>An entry of an archive.</summary>
/// <param name="Name">As the archive has it.</param>
/// <param name="Content">Its bytes; null for what is no file.</param>
/// <param name="Refusal">Why it is left out, in a few words; null = it is a file.</param>
internal readonly record struct ArchiveItem(string Name, Stream? Content, string? Refusal);

/// <summary>Entries of a tar, as they come; folders are none.</summary>
internal static class TarItems
{
    /// <exception cref="DatasetRefusedException">The archive is damaged.</exception>
    public static async IAsyncEnumerable<ArchiveItem> ReadAsync(string name, Stream stream, [EnumeratorCancellation] CancellationToken stop)
    {
        await using var tar = new TarReader(stream, leaveOpen: true);
        while (await NextAsync(tar, name, stop) is { } entry)
        {
            if (entry.EntryType is TarEntryType.Directory or TarEntryType.GlobalExtendedAttributes or TarEntryType.DirectoryList)
            {
                continue;
            }

            yield return new ArchiveItem(entry.Name, entry.DataStream ?? Stream.Null, Refusal(entry.EntryType));
        }
    }

    private static string? Refusal(TarEntryType type) => type switch
    {
        TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile => null,
        TarEntryType.SymbolicLink or TarEntryType.HardLink => "link",
        TarEntryType.Fifo or TarEntryType.CharacterDevice or TarEntryType.BlockDevice => "pipe or device",
        _ => "special entry of a tar",
    };

    private static async Task<TarEntry?> NextAsync(TarReader tar, string name, CancellationToken stop)
    {
        try
        {
            return await tar.GetNextEntryAsync(copyData: false, stop);
        }
        catch (Exception e) when (MeteredStream.IsDamage(e) || e is FormatException or ArgumentException)
        {
            throw MeteredStream.Damaged(name, e);
        }
    }
}

/// <summary>Entries of a zip, in the order of its directory; folders are none.</summary>
internal static class ZipItems
{
    private const int UnixKind = 0xF000;
    private const int UnixFile = 0x8000;
    private const int UnixLink = 0xA000;
    private const int UnixFolder = 0x4000;

    /// <param name="name">Of the archive.</param>
    /// <param name="stream">Can seek.</param>
    /// <param name="budget">Is told what comes out; what went in is the archive's length, for entries may share their bytes.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="DatasetRefusedException">The archive is damaged.</exception>
    public static async IAsyncEnumerable<ArchiveItem> ReadAsync(string name, Stream stream, UnpackBudget budget, [EnumeratorCancellation] CancellationToken stop)
    {
        long packed = stream.Length, unpacked = 0;
        using var zip = Open(name, stream);
        foreach (var entry in Entries(name, zip))
        {
            stop.ThrowIfCancellationRequested();
            int unix = (entry.ExternalAttributes >> 16) & UnixKind;
            if (entry.FullName.EndsWith('/') || unix == UnixFolder)
            {
                continue;
            }

            string? refusal = unix is not (0 or UnixFile) ? unix == UnixLink ? "link" : "pipe or device" : entry.IsEncrypted ? "encrypted" : null;
            if (refusal is not null)
            {
                yield return new ArchiveItem(entry.FullName, null, refusal);
                continue;
            }

            string inside = $"{name}/{entry.FullName}";
            await using var content = new MeteredStream(OpenEntry(inside, entry), inside, n => budget.Unpacked(inside, n, unpacked += n, packed));
            yield return new ArchiveItem(entry.FullName, content, null);
        }
    }

    private static ZipArchive Open(string name, Stream stream)
    {
        try
        {
            return new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (Exception e) when (MeteredStream.IsDamage(e))
        {
            throw MeteredStream.Damaged(name, e);
        }
    }

    private static IReadOnlyCollection<ZipArchiveEntry> Entries(string name, ZipArchive zip)
    {
        try
        {
            return zip.Entries;
        }
        catch (Exception e) when (MeteredStream.IsDamage(e))
        {
            throw MeteredStream.Damaged(name, e);
        }
    }

    private static Stream OpenEntry(string name, ZipArchiveEntry entry)
    {
        try
        {
            return entry.Open();
        }
        catch (Exception e) when (MeteredStream.IsDamage(e))
        {
            throw MeteredStream.Damaged(name, e);
        }
    }
}
