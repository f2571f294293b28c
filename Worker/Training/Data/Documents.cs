using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Hearth.Data;

namespace Hearth.Training.Data;

/// <summary>A dataset that cannot be used; the message names the file and the place.</summary>
public sealed class DatasetException(string message) : Exception(message);

/// <summary>One text of a dataset.</summary>
public sealed record Document(string Name, string Text)
{
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
/// one per line (its <c>text</c>, and what <see cref="RowMetadata"/> reads); any other file is one document.
/// </summary>
public static class Documents
{
    private static readonly string[] TextEndings = [".txt", ".md", ".rst", ".text", ".jsonl"];
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <exception cref="DatasetException">Nothing is there, a file is empty or no UTF-8; names file and byte offset.</exception>
    public static IEnumerable<Document> Read(string path)
    {
        if (File.Exists(path))
        {
            return ReadFile(path, Path.GetFileName(path));
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
            ? names.SelectMany(name => ReadFile(Path.Combine(path, name), name))
            : throw new DatasetException($"The folder {path} has no text file. Looked for: {string.Join(", ", TextEndings)}.");
    }

    /// <summary>Content of a dataset whatever its files were; see <see cref="DatasetContent"/>.</summary>
    public static string ContentHash(IEnumerable<Document> documents)
    {
        using var content = new DatasetContent();
        foreach (var document in documents)
        {
            content.Add(document.Text, document.Metadata);
        }

        return content.Finish();
    }

    private static IEnumerable<Document> ReadFile(string path, string name)
    {
        string text = Decode(ReadBytes(path, name), name);
        return Path.GetExtension(name) == ".jsonl" ? Lines(text, name) : [new Document(name, text)];
    }

    private static byte[] ReadBytes(string path, string name)
    {
        try
        {
            // A pipe or a device has no length; opening one could wait for ever, and reading one never end.
            return new FileInfo(path).Length > 0 ? File.ReadAllBytes(path) : throw new DatasetException($"{name} is empty.");
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

    private static IEnumerable<Document> Lines(string text, string name)
    {
        int number = 0;
        foreach (string line in text.Split('\n').Where(l => !string.IsNullOrWhiteSpace(l)))
        {
            number++;
            string? content, wrong;
            RowMetadata metadata;
            try
            {
                using var json = JsonDocument.Parse(line);
                content = json.RootElement.GetProperty("text").GetString();
                wrong = RowMetadata.Read(json.RootElement, out metadata);
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new DatasetException($"{name}, line {number}: not a JSON object with a text field.");
            }

            yield return string.IsNullOrEmpty(content)
                ? throw new DatasetException($"{name}, line {number}: its text is empty.")
                : wrong is not null ? throw new DatasetException($"{name}, line {number}: {wrong}.")
                : new Document($"{name}:{number}", content) { Metadata = metadata };
        }
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
