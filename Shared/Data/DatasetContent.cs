using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hearth.Runs;

namespace Hearth.Data;

/// <summary>What names a dataset's content and its tokenised form: the same on the trainer that makes it and the coordinator that keeps it.</summary>
public sealed class DatasetContent : IDisposable
{
    /// <summary>A document longer than this many UTF-16 units is taken in pieces, so that no single text can make bookkeeping overflow.</summary>
    public const int LongestDocument = 1 << 26;
    private const int PreparedFormat = 1;
    private const int LettersAtOnce = 1 << 14;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Takes the next document; only texts, what is said of them and their order count, not what their files were called.</summary>
    public void Add(ReadOnlySpan<char> text, RowMetadata metadata = default)
    {
        Append(text, sign: 1);
        if (!metadata.IsEmpty)
        {
            // No text has a negative length, so no text can pass for this.
            Append(metadata.ToJson(), sign: -1);
        }
    }

    /// <summary>Takes the next conversation.</summary>
    public void Add(IReadOnlyList<ChatTurn> turns, RowMetadata metadata = default)
    {
        // A list where metadata would be an object: neither can pass for the other, and none for a text.
        Append(ChatRow.ToJson(turns), sign: -1);
        if (!metadata.IsEmpty)
        {
            Append(metadata.ToJson(), sign: -1);
        }
    }

    /// <summary>SHA-256 over length and text of each document, and its metadata where it has any; 64 hex digits.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    /// <summary>Key of a prepared dataset, 32 hex digits: its content, its tokenizer, its split and how its conversations are written.</summary>
    /// <param name="contentSha256">Of <see cref="Finish"/>.</param>
    /// <param name="vocabSize">The model's.</param>
    /// <param name="validationFraction">Share held out.</param>
    /// <param name="tokenizer">The kind that is trained on it, or <see cref="Given"/>.</param>
    /// <param name="chat">Form of its conversations; null = texts.</param>
    public static string PreparedKey(string contentSha256, int vocabSize, double validationFraction, string tokenizer = TokenizerKinds.ByteBpe, string? chat = null) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{PreparedFormat}/{contentSha256}/{tokenizer}/{vocabSize}/{validationFraction:R}{(chat is null ? "" : "/chat/" + chat)}"))))[..32];

    /// <summary>A tokenizer that is there already, in a key.</summary>
    public static string Given(string tokenizerSha256) => "sha256:" + tokenizerSha256;

    /// <summary>SHA-256 of a text's UTF-8.</summary>
    public static byte[] Digest(ReadOnlySpan<char> text)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, text);
        return hash.GetHashAndReset();
    }

    public void Dispose() => _hash.Dispose();

    private void Append(ReadOnlySpan<char> text, int sign)
    {
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, (long)sign * Encoding.UTF8.GetByteCount(text));
        _hash.AppendData(length);
        Append(_hash, text);
    }

    // In pieces: a text's bytes beside its letters would be as much memory again.
    private static void Append(IncrementalHash hash, ReadOnlySpan<char> text)
    {
        var encoder = Encoding.UTF8.GetEncoder();
        Span<byte> bytes = stackalloc byte[3 * LettersAtOnce];
        for (bool flush = false; !flush;)
        {
            var piece = text[..Math.Min(text.Length, LettersAtOnce)];
            text = text[piece.Length..];
            flush = text.IsEmpty;
            hash.AppendData(bytes[..encoder.GetBytes(piece, bytes, flush)]);
        }
    }
}
