using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Hearth.Tokenizers;

/// <summary>How a SentencePiece model is trained.</summary>
public sealed record SpmTraining
{
    /// <summary>User-defined symbols, in the order of their ids from 1; <c>&lt;unk&gt;</c> is 0.</summary>
    public IReadOnlyList<string> Symbols { get; init; } = [.. SpecialTokens.Core.Skip(1), .. SpecialTokens.CategorySlots([])];

    /// <summary>Characters outside the vocabulary become bytes, so that no text is lost.</summary>
    public bool ByteFallback { get; init; } = true;

    /// <summary>Share of the text's characters that must be pieces of their own; the rarest are left out.</summary>
    public double CharacterCoverage { get; init; } = 0.9995;

    /// <summary>Text changes nothing by default: code and line breaks come back as they were.</summary>
    public SpmNormalizerSpec Normalizer { get; init; } = SpmNormalizerSpec.Identity;
}

/// <summary>
/// Learns a SentencePiece BPE model: the most frequent adjacent pair within a word becomes the next piece. Its file loads in the
/// original library and encodes there the same. Ids: <c>&lt;unk&gt;</c>, symbols, bytes, merges, characters.
/// </summary>
public sealed partial class SentencePieceTrainer : ITokenizerTrainer
{
    private const int LongestPiece = 16;
    private const int Often = 1 << 12;
    private const double CountingShare = 0.1;
    private readonly SpmTraining _how;
    private readonly SpmNormalizer _normalizer;
    private readonly SpecialFinder _symbols;
    private readonly Dictionary<string, long> _words = new(StringComparer.Ordinal);

    public SentencePieceTrainer(SpmTraining how)
    {
        _how = how;
        _normalizer = new SpmNormalizer(how.Normalizer, new SymbolMatcher(how.Symbols), whitespaceAsSuffix: false);
        _symbols = new SpecialFinder(how.Symbols);
    }

    public void Add(string document, LongStep step = default)
    {
        string text = _normalizer.Normalize(document, step.Part(0, 0.5));
        var counting = step.Part(0.5, 1);
        foreach (var (start, length, symbol) in _symbols.Split(text))
        {
            if (symbol is null)
            {
                AddWords(text.AsSpan(start, length), counting.Part(start / (double)text.Length, (start + length) / (double)text.Length));
            }
        }
    }

    public ITokenizer Train(int vocabSize, LongStep step = default)
    {
        List<SpmPiece> pieces =
        [
            new(SpecialTokens.Unknown, 0, SpmPieceType.Unknown),
            .. _how.Symbols.Select(s => new SpmPiece(s, 0, SpmPieceType.UserDefined)),
            .. _how.ByteFallback ? Enumerable.Range(0, 256).Select(b => new SpmPiece(SpmFile.BytePiece((byte)b), 0, SpmPieceType.Byte)) : [],
        ];
        var characters = Characters(vocabSize - pieces.Count, vocabSize, step.Stop);
        List<string> entries = [.. characters];
        int room = vocabSize - pieces.Count;
        var known = entries.Select((text, id) => (text, id)).ToDictionary(e => e.text, e => e.id, StringComparer.Ordinal);
        var taken = pieces.Select(p => p.Text).ToHashSet(StringComparer.Ordinal);
        var pairs = new PairCounts((left, right) => entries[left].Length + entries[right].Length <= LongestPiece ? 1 : 0);
        AddWords(pairs, known, step.Part(0, CountingShare / 2));
        pairs.Count(step.Part(CountingShare / 2, CountingShare));
        var learning = step.Part(CountingShare, 1);
        while (entries.Count < room && pairs.TakeBest() is { } best)
        {
            learning.At(entries.Count / (double)room);
            string joined = entries[best.Left] + entries[best.Right];
            if (taken.Contains(joined))
            {
                continue;
            }

            if (known.TryAdd(joined, entries.Count))
            {
                entries.Add(joined);
            }

            pairs.Merge(best, known[joined], step.Stop);
        }

        // Earlier merges score higher; characters, which are never merged into, come last.
        string[] order = [.. entries.Skip(characters.Count), .. characters];
        pieces.AddRange(order.Select((text, rank) => new SpmPiece(text, -rank, SpmPieceType.Normal)));
        return SentencePieceTokenizer.Parse(SpmFile.Write(new SpmModel
        {
            Pieces = pieces,
            Normalizer = _how.Normalizer,
            ByteFallback = _how.ByteFallback,
            EndPiece = SpecialTokens.End,
        }));
    }

    private void AddWords(ReadOnlySpan<char> text, LongStep step)
    {
        var counts = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        int words = 0;
        foreach (var match in Word().EnumerateMatches(text))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(counts, text.Slice(match.Index, match.Length), out _)++;
            if (++words % Often == 0)
            {
                step.At(match.Index / (double)text.Length);
            }
        }
    }

    // The most frequent characters up to the coverage. With byte fallback a control character is one token as it is.
    private List<string> Characters(int room, int vocabSize, CancellationToken stop)
    {
        var counts = new Dictionary<Rune, long>();
        foreach (var (word, count) in _words)
        {
            stop.ThrowIfCancellationRequested();
            foreach (var rune in word.EnumerateRunes())
            {
                if (!_how.ByteFallback || !Rune.IsControl(rune))
                {
                    CollectionsMarshal.GetValueRefOrAddDefault(counts, rune, out _) += count;
                }
            }
        }

        double needed = counts.Values.Sum() * _how.CharacterCoverage;
        var kept = new List<string>();
        foreach (var (rune, count) in counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key.Value).TakeWhile(_ => needed > 0))
        {
            kept.Add(rune.ToString());
            needed -= count;
        }

        int least = _how.ByteFallback ? 1 : Math.Max(1, kept.Count);
        return room >= least
            ? [.. kept.Take(room)]
            : throw new ArgumentOutOfRangeException(nameof(vocabSize), vocabSize, $"A SentencePiece vocabulary holds its special tokens{(_how.ByteFallback ? ", 256 bytes" : "")} and {least} characters. Allowed: at least {vocabSize - room + least}.");
    }

    // Characters that are no pieces end a word: nothing merges over them.
    private void AddWords(PairCounts pairs, Dictionary<string, int> characters, LongStep step)
    {
        var idOf = characters.ToDictionary(c => c.Key.EnumerateRunes().First(), c => c.Value);
        var ids = new List<int>();
        int words = 0;
        foreach (var (word, count) in _words)
        {
            ids.Clear();
            foreach (var rune in word.EnumerateRunes())
            {
                if (idOf.TryGetValue(rune, out int id))
                {
                    ids.Add(id);
                }
                else
                {
                    pairs.Add(CollectionsMarshal.AsSpan(ids), count);
                    ids.Clear();
                }
            }

            pairs.Add(CollectionsMarshal.AsSpan(ids), count);
            if (++words % Often == 0)
            {
                step.At(words / (double)_words.Count);
            }
        }
    }

    // A word is at most one space and then letters, digits or other signs; more spaces, and each control character, stand alone.
    [GeneratedRegex(@"\u2581?[\p{L}\p{M}]+|\u2581?\p{N}+|\u2581?[^\p{L}\p{M}\p{N}\p{Cc}\u2581]+|\u2581+(?![^\u2581\p{Cc}])|\u2581+|\p{Cc}", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}
