using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Hearth.Training.Tokenizers;

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

    public void Add(string document)
    {
        string text = _normalizer.Normalize(document);
        foreach (var (start, length, symbol) in _symbols.Split(text))
        {
            if (symbol is null)
            {
                AddWords(text.AsSpan(start, length));
            }
        }
    }

    public ITokenizer Train(int vocabSize, Action<double>? progress = null, CancellationToken stop = default)
    {
        List<SpmPiece> pieces =
        [
            new(SpecialTokens.Unknown, 0, SpmPieceType.Unknown),
            .. _how.Symbols.Select(s => new SpmPiece(s, 0, SpmPieceType.UserDefined)),
            .. _how.ByteFallback ? Enumerable.Range(0, 256).Select(b => new SpmPiece(SpmFile.BytePiece((byte)b), 0, SpmPieceType.Byte)) : [],
        ];
        var characters = Characters(vocabSize - pieces.Count, vocabSize);
        List<string> entries = [.. characters];
        int room = vocabSize - pieces.Count;
        var known = entries.Select((text, id) => (text, id)).ToDictionary(e => e.text, e => e.id, StringComparer.Ordinal);
        var taken = pieces.Select(p => p.Text).ToHashSet(StringComparer.Ordinal);
        var pairs = new PairCounts(Words(known), (left, right) => entries[left].Length + entries[right].Length <= LongestPiece ? 1 : 0);
        while (entries.Count < room && pairs.TakeBest() is { } best)
        {
            stop.ThrowIfCancellationRequested();
            string joined = entries[best.Left] + entries[best.Right];
            if (taken.Contains(joined))
            {
                continue;
            }

            if (known.TryAdd(joined, entries.Count))
            {
                entries.Add(joined);
            }

            pairs.Merge(best, known[joined]);
            progress?.Invoke(entries.Count / (double)room);
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

    private void AddWords(ReadOnlySpan<char> text)
    {
        var words = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var match in Word().EnumerateMatches(text))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(words, text.Slice(match.Index, match.Length), out _)++;
        }
    }

    // The most frequent characters up to the coverage. With byte fallback a control character is one token as it is.
    private List<string> Characters(int room, int vocabSize)
    {
        var counts = new Dictionary<Rune, long>();
        foreach (var (word, count) in _words)
        {
            foreach (var rune in word.EnumerateRunes().Where(r => !_how.ByteFallback || !Rune.IsControl(r)))
            {
                CollectionsMarshal.GetValueRefOrAddDefault(counts, rune, out _) += count;
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
    private CountedWord[] Words(Dictionary<string, int> characters)
    {
        var words = new List<CountedWord>();
        foreach (var (word, count) in _words.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            var ids = new List<int>();
            foreach (var rune in word.EnumerateRunes())
            {
                if (characters.TryGetValue(rune.ToString(), out int id))
                {
                    ids.Add(id);
                }
                else
                {
                    words.Add(new CountedWord(ids, count));
                    ids = [];
                }
            }

            words.Add(new CountedWord(ids, count));
        }

        return [.. words.Where(w => w.Ids.Count > 1)];
    }

    // A word is at most one space and then letters, digits or other signs; more spaces, and each control character, stand alone.
    [GeneratedRegex(@"\u2581?[\p{L}\p{M}]+|\u2581?\p{N}+|\u2581?[^\p{L}\p{M}\p{N}\p{Cc}\u2581]+|\u2581+(?![^\u2581\p{Cc}])|\u2581+|\p{Cc}", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}
