using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Hearth.Coordinator.Datasets.Reading;
using Hearth.Coordinator.Datasets.Sources;
using ZstdSharp;

namespace Hearth.Tests.Datasets;

/// <summary>Files and archives as tests make them, and what reading gives of them.</summary>
internal static class Imports
{
    internal static ReadingRules Rules(string scratch) => new(new SourceLimits(), BadRowPolicy.Default, scratch);

    internal static SourceFile File(string name, byte[] content) => new(name, () => new MemoryStream(content, writable: false));

    internal static SourceFile File(string name, string content) => File(name, Encoding.UTF8.GetBytes(content));

    /// <summary>As an upload comes: forward alone.</summary>
    internal static SourceFile Forward(string name, byte[] content) => new(name, () => new GZipStream(new MemoryStream(Gzip(content)), CompressionMode.Decompress));

    internal static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    internal static byte[] Zstandard(byte[] content)
    {
        using var compressor = new Compressor();
        return compressor.Wrap(content).ToArray();
    }

    internal static byte[] Tar(params TarEntry[] entries)
    {
        using var archive = new MemoryStream();
        using (var tar = new TarWriter(archive, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                tar.WriteEntry(entry);
            }
        }

        return archive.ToArray();
    }

    internal static TarEntry TarFile(string name, byte[] content) => new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) };

    internal static byte[] Zip(params (string Name, byte[] Content, int UnixMode)[] entries)
    {
        using var archive = new MemoryStream();
        using (var zip = new ZipArchive(archive, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content, mode) in entries)
            {
                var entry = zip.CreateEntry(name);
                entry.ExternalAttributes = mode << 16;
                using var stream = entry.Open();
                stream.Write(content);
            }
        }

        return archive.ToArray();
    }

    internal static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Imports the files as one dataset; what was written comes with it.</summary>
    internal static async Task<(CanonicalBlob Blob, string Lines)> ImportAsync(ReadingRules rules, params SourceFile[] files)
    {
        using var target = new MemoryStream();
        var blob = await CanonicalBlob.WriteAsync(files, rules, target, null, CancellationToken.None);
        return (blob, Encoding.UTF8.GetString(target.ToArray()));
    }
}
