using Hearth.Runs;

namespace Hearth.Tokenizers;

/// <summary>Learns a tokenizer: takes documents, then makes it. The same documents give the same bytes.</summary>
public interface ITokenizerTrainer
{
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    void Add(string document, LongStep step = default);

    /// <summary>A tokenizer of at most <paramref name="vocabSize"/> entries.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary is too small; says what is allowed.</exception>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    ITokenizer Train(int vocabSize, LongStep step = default);
}

/// <summary>Trainers by the word of <c>data.tokenizer</c>.</summary>
public static class TokenizerTrainers
{
    public static ITokenizerTrainer Create(string kind) => kind switch
    {
        TokenizerKinds.ByteBpe => new BpeTrainer(),
        TokenizerKinds.SentencePiece => new SentencePieceTrainer(new SpmTraining()),
        TokenizerKinds.LengthMax => new LengthMaxTrainer(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, $"data.tokenizer is {kind}. Allowed: {string.Join(", ", TokenizerKinds.All)}."),
    };
}
