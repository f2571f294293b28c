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
/// <param name="IsChat">Its documents are conversations.</param>
public sealed record CanonicalBlob(string Sha256, long Bytes, long Documents, string ContentSha256, bool IsChat)
{
    /// <summary>What the file is called on workers; the ending tells the trainer how to read it.</summary>
    public const string FileName = "dataset.jsonl";
    private const int BufferBytes = 1 << 20;
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a JSON line with name, text or messages, and row metadata for each document. One document is in memory at a time.</summary>
    /// <exception cref="DatasetRefusedException">A file cannot be used, there is only one document, or texts and conversations are mixed.</exception>
    public static async Task<CanonicalBlob> WriteAsync(IEnumerable<SourceFile> files, Stream target, CancellationToken stop)
    {
        using var sha = SHA256.Create();
        using var content = new DatasetContent();
        long documents = 0, start = target.Position;
        bool? chat = null;
        await using (var hashing = new CryptoStream(target, sha, CryptoStreamMode.Write, leaveOpen: true))
        await using (var buffered = new BufferedStream(hashing, BufferBytes))
        await using (var json = new Utf8JsonWriter(buffered, Relaxed))
        {
            foreach (var file in files)
            {
                await foreach (var document in DocumentReader.ReadAsync(file, stop))
                {
                    chat ??= document.Turns is not null;
                    if (chat != document.Turns is not null)
                    {
                        throw Mixed(document, chat.Value);
                    }

                    WriteLine(json, document, content);
                    await json.FlushAsync(stop);
                    buffered.WriteByte((byte)'\n');
                    json.Reset();
                    documents++;
                }
            }
        }

        return documents >= 2
            ? new CanonicalBlob(Convert.ToHexStringLower(sha.Hash!), target.Position - start, documents, content.Finish(), chat ?? false)
            : throw new DatasetRefusedException("files", $"{documents} document", "at least 2 documents", $"The dataset has {documents} document; one must train and another validate. Allowed: at least 2 documents, as files or as lines of a .jsonl.");
    }

    private static void WriteLine(Utf8JsonWriter json, SourceDocument document, DatasetContent content)
    {
        json.WriteStartObject();
        json.WriteString("name", document.Name);
        if (document.Turns is { } turns)
        {
            ChatRow.Write(json, turns);
            content.Add(turns, document.Metadata);
        }
        else
        {
            json.WriteString("text", document.Text);
            content.Add(document.Text, document.Metadata);
        }

        document.Metadata.Write(json);
        json.WriteEndObject();
    }

    private static DatasetRefusedException Mixed(SourceDocument document, bool chat)
    {
        string before = chat ? "conversations" : "texts", now = chat ? "a text" : "a conversation";
        return new DatasetRefusedException("files", document.Name, $"{before} alone", $"{document.Name} is {now}, and the documents before it are {before}. Allowed: one kind in a dataset; import the other as a dataset of its own.");
    }
}
