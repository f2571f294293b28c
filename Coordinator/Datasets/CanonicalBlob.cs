using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets;

/// <summary>A dataset as one blob.</summary>
/// <param name="Sha256">Of the blob.</param>
/// <param name="Bytes">Of the blob.</param>
/// <param name="Documents">Lines in it.</param>
/// <param name="ContentSha256">Of the texts; see <see cref="DatasetContent"/>.</param>
public sealed record CanonicalBlob(string Sha256, long Bytes, long Documents, string ContentSha256)
{
    /// <summary>What the file is called on workers; the ending tells the trainer how to read it.</summary>
    public const string FileName = "dataset.jsonl";
    private const int BufferBytes = 1 << 20;
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a JSON line with name, text and row metadata for each document. One document is in memory at a time.</summary>
    /// <exception cref="DatasetRefusedException">A file cannot be used, or there is only one document.</exception>
    public static async Task<CanonicalBlob> WriteAsync(IEnumerable<SourceFile> files, Stream target, CancellationToken stop)
    {
        using var sha = SHA256.Create();
        using var content = new DatasetContent();
        long documents = 0, start = target.Position;
        await using (var hashing = new CryptoStream(target, sha, CryptoStreamMode.Write, leaveOpen: true))
        await using (var buffered = new BufferedStream(hashing, BufferBytes))
        await using (var json = new Utf8JsonWriter(buffered, Relaxed))
        {
            foreach (var file in files)
            {
                await foreach (var document in DocumentReader.ReadAsync(file, stop))
                {
                    json.WriteStartObject();
                    json.WriteString("name", document.Name);
                    json.WriteString("text", document.Text);
                    document.Metadata.Write(json);
                    json.WriteEndObject();
                    await json.FlushAsync(stop);
                    buffered.WriteByte((byte)'\n');
                    json.Reset();
                    content.Add(document.Text, document.Metadata);
                    documents++;
                }
            }
        }

        return documents >= 2
            ? new CanonicalBlob(Convert.ToHexStringLower(sha.Hash!), target.Position - start, documents, content.Finish())
            : throw new DatasetRefusedException("files", $"{documents} document", "at least 2 documents", $"The dataset has {documents} document; one must train and another validate. Allowed: at least 2 documents, as files or as lines of a .jsonl.");
    }
}
