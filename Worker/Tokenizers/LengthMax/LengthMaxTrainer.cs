namespace Hearth.Tokenizers;

/// <summary>
/// Learns length-max pieces: joins the adjacent pair whose occurrences cover most bytes, count × joined length, so that long
/// pieces beat frequent short ones. What was joined on the way stays a piece.
/// </summary>
public sealed class LengthMaxTrainer : ITokenizerTrainer
{
    private const int LongestPiece = 64;
    private const double CountingShare = 0.1;
    private readonly Dictionary<string, long> _words = new(StringComparer.Ordinal);

    public void Add(string document, LongStep step = default) => ByteLevel.CountPieces(document, _words, step);

    public ITokenizer Train(int vocabSize, LongStep step = default)
    {
        if (vocabSize < LengthMaxTokenizer.LeastVocabulary)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabSize), vocabSize, $"A length-max vocabulary holds 256 bytes, 4 special tokens and {LengthMaxTokenizer.Slots} slots. Allowed: at least {LengthMaxTokenizer.LeastVocabulary}.");
        }

        int room = vocabSize - SpecialTokens.LengthMaxCore.Count - LengthMaxTokenizer.Slots;
        List<byte[]> pieces = [.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b })];
        var known = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] idOf = [.. Enumerable.Range(0, 256)];
        var pairs = ByteLevel.CountPairs(_words, idOf, (left, right) => pieces[left].Length + pieces[right].Length is <= LongestPiece and var length ? length : 0, step.Part(0, CountingShare));
        var learning = step.Part(CountingShare, 1);
        while (pieces.Count < room && pairs.TakeBest() is { } best)
        {
            byte[] joined = [.. pieces[best.Left], .. pieces[best.Right]];
            if (known.TryAdd(Convert.ToHexString(joined), pieces.Count))
            {
                pieces.Add(joined);
            }

            pairs.Merge(best, known[Convert.ToHexString(joined)], step.Stop);
            learning.At(pieces.Count / (double)room);
        }

        return LengthMaxTokenizer.Parse(LengthMaxTokenizer.Write(pieces, vocabSize));
    }
}
