using Hearth.Api;
using Hearth.Coordinator.Datasets.Sources;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>What holds for every import.</summary>
/// <param name="Limits">What unpacking may cost.</param>
/// <param name="BadRows">How many rows may be bad.</param>
/// <param name="Scratch">Folder of temporary files.</param>
public sealed record ReadingRules(SourceLimits Limits, BadRowPolicy BadRows, string Scratch);

/// <summary>How far an import is.</summary>
/// <param name="BytesRead">Of its files, as they lie there.</param>
/// <param name="Documents">Written.</param>
/// <param name="BadRows">Left out.</param>
/// <param name="Duplicates">Left out.</param>
/// <param name="IsRead">All is read; what follows is storing it.</param>
public readonly record struct ReadingProgress(long BytesRead, long Documents, long BadRows, long Duplicates, bool IsRead);

/// <summary>A dataset as one blob.</summary>
/// <param name="Sha256">Of the blob.</param>
/// <param name="Bytes">Of the blob.</param>
/// <param name="Files">That it was made of: those in archives each for itself.</param>
/// <param name="Kind">One of <see cref="DatasetKinds"/>.</param>
/// <param name="ContentSha256">Of the texts; see <see cref="DatasetContent"/>.</param>
/// <param name="Manifest">What was found.</param>
public sealed record CanonicalBlob(string Sha256, long Bytes, int Files, string Kind, string ContentSha256, DatasetManifest Manifest)
{
    /// <summary>What the file is called on workers; the ending tells the trainer how to read it.</summary>
    public const string FileName = "dataset.jsonl";

    /// <summary>Reads files to their end and writes a JSON line with name, text or messages, and row metadata for each document. One document is in memory at a time.</summary>
    /// <param name="files">In the order of the documents.</param>
    /// <param name="rules">What holds for every import.</param>
    /// <param name="target">Takes the lines.</param>
    /// <param name="tell">Is told, every so many rows, how far it is; null = nobody asks.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="DatasetRefusedException">A file cannot be used, there are fewer than two documents, too many bad rows, or texts and conversations are mixed.</exception>
    public static async Task<CanonicalBlob> WriteAsync(IReadOnlyList<SourceFile> files, ReadingRules rules, Stream target, Action<ReadingProgress>? tell, CancellationToken stop)
    {
        using var writer = new CanonicalWriter(files, rules, target, tell);
        return await writer.WriteAsync(stop);
    }
}
