namespace Hearth.Tokenizers;

/// <summary>Kinds of pieces, with their numbers in the file.</summary>
public enum SpmPieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of a SentencePiece vocabulary; its id is its place.</summary>
/// <param name="Text">Spaces are written as U+2581.</param>
/// <param name="Score">Merges of higher score go first.</param>
public readonly record struct SpmPiece(string Text, float Score, SpmPieceType Type);

/// <summary>How text is changed before it is cut; the file's <c>normalizer_spec</c> with its defaults.</summary>
public sealed record SpmNormalizerSpec
{
    /// <summary>Leaves every character as it is.</summary>
    public static SpmNormalizerSpec Identity { get; } = new() { Name = "identity", RemoveExtraWhitespaces = false };

    public string Name { get; init; } = "";

    /// <summary>Replacements, see <see cref="CharsMap"/>; empty for none.</summary>
    public byte[] PrecompiledCharsmap { get; init; } = [];

    /// <summary>Puts a space before the text, so that a word at its start is the same piece as elsewhere.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Drops spaces at both ends and repeated ones.</summary>
    public bool RemoveExtraWhitespaces { get; init; } = true;

    /// <summary>Writes spaces as U+2581.</summary>
    public bool EscapeWhitespaces { get; init; } = true;
}

/// <summary>What a SentencePiece BPE model file says, as far as encoding and decoding need it.</summary>
public sealed record SpmModel
{
    public required IReadOnlyList<SpmPiece> Pieces { get; init; }
    public SpmNormalizerSpec Normalizer { get; init; } = new();

    /// <summary>Applied to decoded text; null for none.</summary>
    public SpmNormalizerSpec? Denormalizer { get; init; }

    /// <summary>Characters outside the vocabulary become their UTF-8 bytes instead of the unknown piece.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The dummy space goes to the end of the text.</summary>
    public bool WhitespaceAsSuffix { get; init; }

    /// <summary>What the unknown piece decodes to.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";
    public string EndPiece { get; init; } = "</s>";
}
