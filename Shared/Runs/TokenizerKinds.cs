namespace Hearth.Runs;

/// <summary>The tokenizers that a run can train on its dataset, and the smallest vocabulary of each.</summary>
public static class TokenizerKinds
{
    public const string ByteBpe = "byte_bpe";
    public const string SentencePiece = "sentencepiece";
    public const string LengthMax = "length_max";

    public static IReadOnlyList<string> All { get; } = [ByteBpe, SentencePiece, LengthMax];

    /// <summary>Entries that every tokenizer of a kind has: bytes, special tokens and their slots.</summary>
    public static int LeastVocabulary(string kind) => kind switch
    {
        SentencePiece => 300,
        LengthMax => 388,
        _ => 257,
    };

    /// <summary>What those entries are, in words.</summary>
    public static string LeastEntries(string kind) => kind switch
    {
        SentencePiece => "A SentencePiece tokenizer has 11 special tokens, 32 categories, 256 bytes and at least one character",
        LengthMax => "A length-max tokenizer has 256 bytes, 4 special tokens and 128 slots for more",
        _ => "A byte-level tokenizer has 256 bytes and an end token",
    };
}
