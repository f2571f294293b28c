using System.Runtime.CompilerServices;
using System.Text;
using Hearth.Data;

namespace Hearth.Coordinator.Datasets.Reading;

/// <summary>
/// Reads a text as documents. One of many is a document, in parts where it is longer than <see cref="DatasetContent.LongestDocument"/>. One that is all there
/// is would be a dataset of one document, of which nothing could validate: it is cut at blank lines.
/// </summary>
public static class TextPieces
{
    /// <summary>Least letters of a document that is cut out of a lone text.</summary>
    public const int LeastCut = 2000;

    // A lone text without blank lines is cut behind a line once it is this long.
    private const int MostUncut = 1 << 20;
    private const int BytesAtOnce = 1 << 16;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <param name="name">Of the text.</param>
    /// <param name="stream">UTF-8; a byte order mark at its start is none of the text.</param>
    /// <param name="isLone">It is all that the import has.</param>
    /// <param name="stop">Ends the reading.</param>
    public static async IAsyncEnumerable<SourceRow> ReadAsync(string name, Stream stream, bool isLone, [EnumeratorCancellation] CancellationToken stop)
    {
        var decoder = Strict.GetDecoder();
        byte[] bytes = new byte[BytesAtOnce];
        char[] text = new char[BytesAtOnce * 2];
        int length = 0, part = 0, looked = 0;
        long offset = 0;
        for (int n = -1; n != 0;)
        {
            n = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, stop);
            int mark = offset == 0 && bytes.AsSpan(0, n).StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            if (text.Length - length < Strict.GetMaxCharCount(n))
            {
                Array.Resize(ref text, Math.Max(text.Length * 2, length + Strict.GetMaxCharCount(n)));
            }

            if (Decode(decoder, bytes.AsSpan(mark, n - mark), text.AsSpan(length), n == 0) is not { } letters)
            {
                yield return SourceRow.Wrong(name, BadRowKind.NotUtf8, $"in the {BytesAtOnce} bytes from offset {offset}");
                yield break;
            }

            (offset, length) = (offset + n, length + letters);
            while (Cut(text.AsSpan(0, length), isLone, ref looked) is > 0 and var cut)
            {
                yield return Row($"{name}#{++part}", text.AsMemory(0, cut));
                text.AsSpan(cut, length - cut).CopyTo(text);
                length -= cut;
                looked = 0;
            }
        }

        if (part == 0 || !text.AsSpan(0, length).IsWhiteSpace())
        {
            yield return Row(part == 0 ? name : $"{name}#{part + 1}", text.AsMemory(0, length));
        }
    }

    private static SourceRow Row(string name, ReadOnlyMemory<char> text) =>
        text.Span.IsWhiteSpace() ? SourceRow.Wrong(name, BadRowKind.Empty)
        : text.Span.Contains('\0') ? SourceRow.Wrong(name, BadRowKind.Nul)
        : SourceRow.Of(new SourceDocument(name, text));

    private static int? Decode(Decoder decoder, ReadOnlySpan<byte> bytes, Span<char> letters, bool flush)
    {
        try
        {
            return decoder.GetChars(bytes, letters, flush);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>Where the next document ends; 0 = not within what is there.</summary>
    /// <param name="text">What was read and not given yet.</param>
    /// <param name="isLone">Whether blank lines end documents.</param>
    /// <param name="looked">How far no blank line was found.</param>
    private static int Cut(ReadOnlySpan<char> text, bool isLone, ref int looked)
    {
        if (!isLone)
        {
            return text.Length > DatasetContent.LongestDocument ? Whole(text, DatasetContent.LongestDocument) : 0;
        }

        for (int at = Math.Max(looked, LeastCut); at < text.Length; at++)
        {
            int next = text[at..].IndexOf('\n');
            if (next < 0 || at + next + 1 >= text.Length)
            {
                break;
            }

            at += next;
            if (!char.IsWhiteSpace(text[at + 1]) && IsBlankBefore(text, at))
            {
                return at + 1;
            }

            looked = at;
        }

        return text.Length <= MostUncut ? 0
            : text.LastIndexOf('\n') is > 0 and var line && line + 1 < text.Length ? line + 1
            : text.Length > DatasetContent.LongestDocument ? Whole(text, DatasetContent.LongestDocument) : 0;
    }

    // The line that ends here has nothing but blanks.
    private static bool IsBlankBefore(ReadOnlySpan<char> text, int newline)
    {
        int from = text[..newline].LastIndexOf('\n');
        return from >= 0 && text[(from + 1)..newline].IsWhiteSpace();
    }

    // A pair of surrogates stays together.
    private static int Whole(ReadOnlySpan<char> text, int most) => char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
}
