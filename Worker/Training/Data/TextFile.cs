using System.Text;
using Hearth.Data;
using Hearth.Tokenizers;

namespace Hearth.Training.Data;

/// <summary>A file of text as its letters, a part of <see cref="DatasetContent.LongestDocument"/> at a time.</summary>
internal static class TextFile
{
    private const int BytesAtOnce = 1 << 20;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <param name="file">At its beginning.</param>
    /// <param name="name">For errors.</param>
    /// <param name="step">Hears how far it is.</param>
    /// <exception cref="DatasetException">It is no UTF-8; names the byte and its offset.</exception>
    internal static IEnumerable<string> Read(FileStream file, string name, LongStep step)
    {
        var decoder = Strict.GetDecoder();
        var letters = new StringBuilder();
        byte[] bytes = new byte[BytesAtOnce];
        char[] decoded = new char[Strict.GetMaxCharCount(BytesAtOnce)];
        long before = 0;
        for (int read = -1; read != 0; before += read)
        {
            step.At(before / (double)file.Length);
            read = file.Read(bytes);
            letters.Append(decoded, 0, Decode(decoder, bytes.AsSpan(0, read), decoded, name, before));
            for (; letters.Length > DatasetContent.LongestDocument; letters.Remove(0, DatasetContent.LongestDocument))
            {
                yield return letters.ToString(0, DatasetContent.LongestDocument);
            }
        }

        yield return letters.ToString();
    }

    /// <summary>What is said of bytes that are no UTF-8.</summary>
    /// <param name="name">Of the file.</param>
    /// <param name="bytes">With the first wrong one among them.</param>
    /// <param name="before">Bytes of the file before them.</param>
    internal static DatasetException NoUtf8(string name, ReadOnlySpan<byte> bytes, long before)
    {
        try
        {
            Strict.GetCharCount(bytes);
            throw new ArgumentException("The bytes are UTF-8.", nameof(bytes));
        }
        catch (DecoderFallbackException e)
        {
            return NoUtf8(name, e, before);
        }
    }

    private static int Decode(Decoder decoder, ReadOnlySpan<byte> bytes, char[] letters, string name, long before)
    {
        try
        {
            return decoder.GetChars(bytes, letters, flush: bytes.IsEmpty);
        }
        catch (DecoderFallbackException e)
        {
            throw NoUtf8(name, e, before);
        }
    }

    // Where a letter was begun before these bytes, the index counts from its first byte and is below 0.
    private static DatasetException NoUtf8(string name, DecoderFallbackException e, long before) =>
        new($"{name} is no UTF-8: byte 0x{e.BytesUnknown?.FirstOrDefault():X2} at offset {before + e.Index}.");
}
