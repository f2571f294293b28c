using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets;

/// <summary>One text of a dataset, or one conversation.</summary>
/// <param name="Name">File and line.</param>
/// <param name="Text">Empty where there are turns.</param>
/// <param name="Metadata">What its line says beside it.</param>
/// <param name="Turns">Of a conversation; null = a text.</param>
public readonly record struct SourceDocument(string Name, string Text, RowMetadata Metadata = default, IReadOnlyList<ChatTurn>? Turns = null);

/// <summary>
/// Reads files into documents as the trainer does, but a piece at a time: a text file is one document, a JSON-lines file one per
/// line (its <c>text</c> or its <see cref="ChatRow"/>, and what <see cref="RowMetadata"/> reads), and what is longer than <see cref="DatasetContent.LongestDocument"/> comes in parts.
/// </summary>
public static class DocumentReader
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <exception cref="DatasetRefusedException">The file is empty, no UTF-8, or a line has no text; names the file and the place.</exception>
    public static IAsyncEnumerable<SourceDocument> ReadAsync(SourceFile file, CancellationToken stop) =>
        file.IsJsonLines ? LinesAsync(file, stop) : WholeAsync(file, stop);

    private static async IAsyncEnumerable<SourceDocument> WholeAsync(SourceFile file, [EnumeratorCancellation] CancellationToken stop)
    {
        await using var stream = file.Open();
        var decoder = Strict.GetDecoder();
        byte[] bytes = new byte[1 << 16];
        char[] letters = new char[Strict.GetMaxCharCount(bytes.Length)];
        var text = new StringBuilder();
        long offset = 0;
        int part = 0;
        for (int n = -1; n != 0;)
        {
            n = await stream.ReadAsync(bytes, stop);
            text.Append(letters, 0, Decode(decoder, bytes.AsSpan(0, n), letters, n == 0, file.Name, offset));
            offset += n;
            while (text.Length > DatasetContent.LongestDocument)
            {
                int length = Cut(text[DatasetContent.LongestDocument - 1]);
                yield return new SourceDocument($"{file.Name}#{++part}", text.ToString(0, length));
                text.Remove(0, length);
            }
        }

        if (offset == 0)
        {
            throw Refused(file.Name, "is empty", "files with text in them");
        }

        yield return new SourceDocument(part == 0 ? file.Name : $"{file.Name}#{part + 1}", text.ToString());
    }

    private static async IAsyncEnumerable<SourceDocument> LinesAsync(SourceFile file, [EnumeratorCancellation] CancellationToken stop)
    {
        using var reader = new StreamReader(file.Open(), Strict, detectEncodingFromByteOrderMarks: false);
        int number = 0;
        while (await LineAsync(reader, file.Name, number + 1, stop) is { } line)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            string name = $"{file.Name}:{++number}";
            var (text, metadata, turns) = ContentOf(line, file.Name, number);
            if (turns is not null)
            {
                yield return new SourceDocument(name, "", metadata, turns);
                continue;
            }

            int at = 0;
            for (int part = 1; text.Length - at > DatasetContent.LongestDocument; part++)
            {
                int length = Cut(text[at + DatasetContent.LongestDocument - 1]);
                yield return new SourceDocument($"{name}#{part}", text.Substring(at, length), at == 0 ? metadata : default);
                at += length;
            }

            yield return new SourceDocument(name, text[at..], at == 0 ? metadata : default);
        }

        if (number == 0)
        {
            throw Refused(file.Name, "is empty", "a JSON object with a text field on each line");
        }
    }

    // A pair of surrogates stays together.
    private static int Cut(char last) => char.IsHighSurrogate(last) ? DatasetContent.LongestDocument - 1 : DatasetContent.LongestDocument;

    private static int Decode(Decoder decoder, ReadOnlySpan<byte> bytes, char[] letters, bool flush, string name, long offset)
    {
        try
        {
            return decoder.GetChars(bytes, letters, flush);
        }
        catch (DecoderFallbackException e)
        {
            throw Refused(name, $"is no UTF-8: byte 0x{e.BytesUnknown?.FirstOrDefault():X2} at offset {Math.Max(0, offset + e.Index)}", "UTF-8 text");
        }
    }

    private static async Task<string?> LineAsync(StreamReader reader, string name, int number, CancellationToken stop)
    {
        try
        {
            return await reader.ReadLineAsync(stop);
        }
        catch (DecoderFallbackException e)
        {
            throw Refused(name, $"is no UTF-8 at or after line {number}: byte 0x{e.BytesUnknown?.FirstOrDefault():X2}", "UTF-8 text");
        }
    }

    private static (string Text, RowMetadata Metadata, IReadOnlyList<ChatTurn>? Turns) ContentOf(string line, string name, int number)
    {
        const string Allowed = "a JSON object with a text field that is not empty, or with messages";
        try
        {
            using var json = JsonDocument.Parse(line);
            IReadOnlyList<ChatTurn>? turns = null;
            string text = "";
            if (ChatRow.Is(json.RootElement))
            {
                if (ChatRow.Read(json.RootElement, out turns) is { } wrongTurn)
                {
                    throw new DatasetRefusedException("files", name, "conversations whose turns have a role and text", $"{name}, line {number}: {wrongTurn}.");
                }
            }
            else
            {
                text = json.RootElement.GetProperty("text").GetString() is { Length: > 0 } given ? given : throw Refused(name, $"has no text on line {number}", Allowed);
            }

            return RowMetadata.Read(json.RootElement, out var metadata) is { } wrong
                ? throw new DatasetRefusedException("files", name, "what decision_pos and decision_label may be", $"{name}, line {number}: {wrong}.")
                : (text, metadata, turns);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw Refused(name, $"has no JSON object with a text field on line {number}", Allowed);
        }
    }

    private static DatasetRefusedException Refused(string name, string what, string allowed) => new("files", name, allowed, $"{name} {what}. Allowed: {allowed}.");
}
