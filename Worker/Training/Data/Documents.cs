using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Data;

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
    public bool IsValidation(double fraction)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(Text));
        return (BitConverter.ToUInt64(hash) >> 11) * (1.0 / (1UL << 53)) < fraction;
    }
}

/// <summary>
/// Reads documents: a folder gives each of its text files as one, in ordinal order of their names; a <c>.jsonl</c> file gives
/// one per line (its <c>text</c> or its <see cref="ChatRow"/>, and what <see cref="RowMetadata"/> reads); any other file is one document.
/// </summary>
public static class Documents
{
    private static readonly string[] TextEndings = [".txt", ".md", ".rst", ".text", ".jsonl"];
    private const int ReadAtOnce = 1 << 24;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

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

    /// <summary>Content of a dataset whatever its files were; see <see cref="DatasetContent"/>.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public static string ContentHash(IEnumerable<Document> documents, LongStep step = default)
    {
        IReadOnlyCollection<Document> all = documents as IReadOnlyCollection<Document> ?? [.. documents];
        using var content = new DatasetContent();
        foreach (var (i, document) in all.Index())
        {
            step.At(i / (double)all.Count);
            if (document.Turns is { } turns)
            {
                content.Add(turns, document.Metadata);
            }
            else
            {
                content.Add(document.Text, document.Metadata);
            }
        }

        return content.Finish();
    }

    private static IEnumerable<Document> ReadFile(string path, string name, LongStep step)
    {
        string text = Decode(ReadBytes(path, name, step.Part(0, 0.5)), name);
        return Path.GetExtension(name) == ".jsonl" ? Lines(text, name, step.Part(0.5, 1)) : [new Document(name, text)];
    }

    private static byte[] ReadBytes(string path, string name, LongStep step)
    {
        try
        {
            // A pipe or a device has no length; opening one could wait for ever, and reading one never end.
            long length = new FileInfo(path).Length;
            if (length == 0 || length > Array.MaxLength)
            {
                throw new DatasetException(length == 0 ? $"{name} is empty." : $"{name} has {length} bytes. Allowed: at most {Array.MaxLength} in one file.");
            }

            using var file = File.OpenRead(path);
            byte[] bytes = new byte[length];
            int read = 0;
            for (int more = -1; more != 0 && read < bytes.Length; read += more)
            {
                step.At(read / (double)bytes.Length);
                more = file.Read(bytes, read, Math.Min(ReadAtOnce, bytes.Length - read));
            }

            Array.Resize(ref bytes, read);
            return bytes;
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

    private static IEnumerable<Document> Lines(string text, string name, LongStep step)
    {
        int number = 0;
        for (int start = 0, end; start < text.Length; start = end + 1)
        {
            end = text.IndexOf('\n', start) is >= 0 and var at ? at : text.Length;
            var line = text.AsMemory(start, end - start);
            step.At(start / (double)text.Length);
            if (line.Span.IsWhiteSpace())
            {
                continue;
            }

            number++;
            yield return Line(line, $"{name}:{number}", $"{name}, line {number}");
        }
    }

    private static Document Line(ReadOnlyMemory<char> line, string name, string place)
    {
        string? content, wrong;
        RowMetadata metadata;
        IReadOnlyList<ChatTurn>? turns = null;
        try
        {
            using var json = JsonDocument.Parse(line);
            string? wrongTurn = ChatRow.Is(json.RootElement) ? ChatRow.Read(json.RootElement, out turns) : null;
            content = turns is not null ? ChatRow.ToJson(turns) : wrongTurn is null ? json.RootElement.GetProperty("text").GetString() : "";
            wrong = RowMetadata.Read(json.RootElement, out metadata);
            wrong = wrongTurn ?? wrong;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new DatasetException($"{place}: not a JSON object with a text field, or with messages.");
        }

        return wrong is not null ? throw new DatasetException($"{place}: {wrong}.")
            : string.IsNullOrEmpty(content) ? throw new DatasetException($"{place}: its text is empty.")
            : new Document(name, content) { Metadata = metadata, Turns = turns };
    }

    private static string Decode(byte[] bytes, string name)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new DatasetException($"{name} is no UTF-8: byte 0x{e.BytesUnknown?.FirstOrDefault():X2} at offset {e.Index}.");
        }
    }
}
