using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>Folders of files that lie in the cache: linked, not copied, where the file system can.</summary>
public sealed class BlobFolder(BlobStore blobs)
{
    /// <summary>Brings the blobs and puts them into the folder under their names; the folder.</summary>
    /// <param name="files">With signed addresses.</param>
    /// <param name="folder">Is made.</param>
    /// <param name="progress">Called with a fraction of 0..1.</param>
    /// <param name="cancel">Ends the download; its part is kept for a later try.</param>
    /// <exception cref="CorruptBlobException">A blob is not what it should be, or its name leads out of the folder.</exception>
    /// <exception cref="TransferException">The store refuses.</exception>
    public async Task<string> FetchAsync(IReadOnlyList<BlobRef> files, string folder, Action<double> progress, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        var total = Math.Max(1, files.Sum(f => f.Bytes));
        var before = 0L;
        foreach (var file in files)
        {
            var target = Target(folder, file.Name);
            var cached = await blobs.GetAsync(file, received => progress(Math.Min(1, (before + received) / (double)total)), cancel);
            FileLink.LinkOrCopy(cached, target);
            before += file.Bytes;
        }

        return folder;
    }

    /// <summary>A name comes over the wire, so it may not lead out of the folder.</summary>
    public static string Target(string folder, string name)
    {
        var parts = name.Split('/', '\\');
        return parts.Any(p => p is "" or "." or ".." || p.Contains(':'))
            ? throw new CorruptBlobException(name, "not a relative file name")
            : Path.Combine([folder, .. parts]);
    }
}
