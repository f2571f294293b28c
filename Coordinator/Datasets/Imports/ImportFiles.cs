using Hearth.Api;
using Hearth.Coordinator.Datasets.Sources;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>The files of an import.</summary>
/// <param name="Files">To be read in this order.</param>
/// <param name="Total">Their bytes; null where nobody knows, or not yet.</param>
public sealed record OpenedSource(IReadOnlyList<SourceFile> Files, Func<long?> Total);

/// <summary>Turns what an import was asked to take into files.</summary>
public sealed class ImportFiles(SourceFiles paths, UploadStore uploads, UrlFetcher fetcher)
{
    /// <exception cref="DatasetRefusedException">There is no such thing.</exception>
    public async Task<OpenedSource> OpenAsync(ImportTurn import, CancellationToken stop)
    {
        if (import.Source is { Paths: { } given })
        {
            var files = paths.Find(new ImportDataset(import.Name, given, import.License));
            long total = files.Sum(f => f.Bytes ?? 0);
            return new OpenedSource(files, () => total);
        }

        if (import.Source is { UploadId: { } id })
        {
            var upload = await uploads.FindAsync(id, stop) ?? throw new DatasetRefusedException("upload_id", id.ToString(), "an upload of the last day", $"The upload {id} is gone. Allowed: an upload of the last day.");
            return new OpenedSource([new SourceFile(upload.FileName, token => uploads.OpenAsync(id, token))], () => upload.Offset);
        }

        // The name is known once the last redirect is.
        var fetched = await fetcher.FetchAsync(import.Source.Url!, stop);
        return new OpenedSource([new SourceFile(fetched.Name, () => fetched.Content)], () => fetched.Bytes);
    }
}
