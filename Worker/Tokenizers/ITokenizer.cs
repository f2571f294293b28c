namespace Hearth.Tokenizers;

/// <summary>A tokenizer file that cannot be used; the message names the field.</summary>
public sealed class TokenizerException(string message) : Exception(message);

/// <summary>
/// Text to ids and back. A tokenizer is its file: the bytes travel unchanged with datasets and checkpoints, and their SHA-256
/// is its identity.
/// </summary>
public interface ITokenizer
{
    /// <summary>The file, byte for byte.</summary>
    byte[] File { get; }

    /// <summary>What the file is called in a folder: one of <see cref="TokenizerFile.Names"/>.</summary>
    string FileName { get; }

    /// <summary>SHA-256 of <see cref="File"/>, 64 hex digits.</summary>
    string Sha256 { get; }

    /// <summary>Ids are 0 to one less than this.</summary>
    int VocabSize { get; }

    /// <summary>The id that ends a document; −1 when there is none.</summary>
    int EndToken { get; }

    /// <summary>Id of a special token such as <c>&lt;eos&gt;</c>, or −1.</summary>
    int Special(string token);

    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    int[] Encode(string text, LongStep step = default);

    /// <summary>The text of ids; special tokens are left out unless asked for, broken UTF-8 becomes U+FFFD.</summary>
    string Decode(IEnumerable<int> ids, bool withSpecial = false);

    /// <summary>UTF-8 bytes of text that an id stands for, as bits per byte count them.</summary>
    /// <param name="id">The token.</param>
    /// <param name="before">The token before it; −1 at the start.</param>
    int ByteCount(int id, int before);
}

/// <summary>Text of ids that follow others, and ids of text that follows another.</summary>
public static class Continuation
{
    /// <summary>
    /// What <paramref name="ids"/> add to the text of a prompt. Decoded alone they would lose the space in front: a SentencePiece
    /// text begins without one.
    /// </summary>
    public static string DecodeAfter(this ITokenizer tokenizer, IReadOnlyList<int> prompt, IEnumerable<int> ids) =>
        tokenizer.Decode([.. prompt, .. ids])[tokenizer.Decode(prompt).Length..];

    /// <summary>The ids of a text that stands behind another one: a SentencePiece text would begin with a space of its own.</summary>
    public static int[] EncodeAfter(this ITokenizer tokenizer, string before, string text)
    {
        int[] header = tokenizer.Encode(before), whole = tokenizer.Encode(before + text);
        return whole.AsSpan().StartsWith(header) ? whole[header.Length..] : tokenizer.Encode(text);
    }
}
