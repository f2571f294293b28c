using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Hearth.Data;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>A dataset that cannot be used; the message names the file and the place.</summary>
public sealed class DatasetException(string message) : Exception(message);

/// <summary>One text of a dataset, or one conversation.</summary>
/// <param name="Name">File and line.</param>
/// <param name="Text">Of a conversation its turns as JSON: what is hashed, never what is trained on.</param>
public sealed record Document(string Name, string Text)
{
    /// <summary>Of a conversation; null = a text.</summary>
    public IReadOnlyList<ChatTurn>? Turns { get; init; }

    /// <summary>What its JSON line says beside the text.</summary>
    public RowMetadata Metadata { get; init; }

    /// <summary>
    /// Whether a document is held out: the first 53 bits of its SHA-256, as a fraction, lie below the share. A pure function of
    /// the text, so that adding other documents moves none.
    /// </summary>
    public bool IsValidation(double fraction) => Fraction(0) < fraction;

    /// <summary>Whether a document is among those that a tokenizer learns from, where it learns from a share of them.</summary>
    public bool IsLearnt(double share) => share >= 1 || Fraction(sizeof(ulong)) < share;

    private double Fraction(int from) => (BinaryPrimitives.ReadUInt64LittleEndian(DatasetContent.Digest(Text).AsSpan(from)) >> 11) * (1.0 / (1UL << 53));
}

/// <summary>
/// Reads documents, one in memory at a time: a folder gives each of its text files as one, in ordinal order of their names; a <c>.jsonl</c> file gives
/// one per line (its <c>text</c> or its <see cref="ChatRow"/>, and what <see cref="RowMetadata"/> reads); any other file is one document. A text of more than
/// <see cref="DatasetContent.LongestDocument"/> letters comes in parts, which are documents.
/// </summary>
public static class Documents
{
    private static readonly string[] TextEndings = [".txt", ".md", ".rst", ".text", ".jsonl"];
    private const int LongestLine = 1 << 30;

    /// <exception cref="DatasetException">Nothing is there, a file is empty or no UTF-8; names file and byte offset.</exception>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static IEnumerable<Document> Read(string path, LongStep step = default)
    {
        if (File.Exists(path))
        {
            return ReadFile(path, Path.GetFileName(path), step);
        }

        if (!Directory.Exists(path))
        {
            throw new DatasetException($"There is no file or folder {path}.");
        }

        string[] names = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Where(f => TextEndings.Contains(Path.GetExtension(f)))
            .Select(f => Path.GetRelativePath(path, f))
            .Order(StringComparer.Ordinal)];
        return names.Length > 0
            ? names.SelectMany((name, i) => ReadFile(Path.Combine(path, name), name, step.Nth(i, names.Length)))
            : throw new DatasetException($"The folder {path} has no text file. Looked for: {string.Join(", ", TextEndings)}.");
    }

    private static IEnumerable<Document> ReadFile(string path, string name, LongStep step)
    {
        using var file = Open(path, name);
        foreach (var document in Path.GetExtension(name) == ".jsonl" ? Lines(file, name, step) : Parts(name, TextFile.Read(file, name, step)))
        {
            yield return document;
        }
    }

    private static FileStream Open(string path, string name)
    {
        try
        {
            // A pipe or a device has no length; opening one could wait for ever, and reading one never end.
            return new FileInfo(path).Length > 0 ? File.OpenRead(path) : throw new DatasetException($"{name} is empty.");
        }
        catch (FileNotFoundException)
        {
            throw new DatasetException($"{name} is a link to a file that is not there.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatasetException($"{name} cannot be read: {e.Message}");
        }
    }

    private static IEnumerable<Document> Lines(FileStream file, string name, LongStep step)
    {
        long at = 0;
        foreach (var line in LineReader.Read(file, LongestLine))
        {
            step.At(at / (double)file.Length);
            if (line.IsTooLong)
            {
                throw new DatasetException($"{name}, line {line.Number}: it has more than {LongestLine} bytes.");
            }

            if (!Utf8.IsValid(line.Bytes.Span))
            {
                throw TextFile.NoUtf8(name, line.Bytes.Span, line.Next - 1 - line.Bytes.Length);
            }

            at = line.Next;
            if (line.Bytes.Span.Trim(" \t\r"u8).IsEmpty)
            {
                continue;
            }

            var document = Line(line.Bytes, $"{name}:{line.Number}", $"{name}, line {line.Number}");
            foreach (var part in document.Turns is null ? Parts(document) : [document])
            {
                yield return part;
            }
        }
    }

    private static Document Line(ReadOnlyMemory<byte> line, string name, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return Row(json.RootElement, name, place);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new DatasetException($"{place}: not a JSON object with a text field, or with messages.");
        }
    }

    private static Document Row(JsonElement row, string name, string place)
    {
        IReadOnlyList<ChatTurn>? turns = null;
        string? wrong = ChatRow.Is(row) ? ChatRow.Read(row, out turns) : null;
        string? text = wrong is not null ? null : turns is null ? row.GetProperty("text").GetString() : ChatRow.ToJson(turns);
        string? wrongMetadata = RowMetadata.Read(row, out var metadata);
        return (wrong ?? wrongMetadata) is { } fault ? throw new DatasetException($"{place}: {fault}.")
            : string.IsNullOrEmpty(text) ? throw new DatasetException($"{place}: its text is empty.")
            : new Document(name, text) { Metadata = metadata, Turns = turns };
    }

    private static IEnumerable<Document> Parts(Document document)
    {
        const int Longest = DatasetContent.LongestDocument;
        return document.Text.Length <= Longest
            ? [document]
            : document.Text.Chunk(Longest).Select((letters, i) => new Document($"{document.Name}#{i + 1}", new string(letters)) { Metadata = i == 0 ? document.Metadata : default });
    }

    private static IEnumerable<Document> Parts(string name, IEnumerable<string> texts) => texts.Select((text, i) => new Document(i == 0 ? name : $"{name}#{i + 1}", text));
}
