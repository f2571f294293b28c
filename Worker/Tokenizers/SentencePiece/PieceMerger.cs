using System.Text;

namespace Hearth.Tokenizers;

/// <summary>
/// Cuts normalised text into pieces as SentencePiece's BPE does: characters and user-defined symbols first, then the best
/// merge that is left (higher score, then further left) until none is. Symbols are numbers: pieces by their ids, then characters.
/// </summary>
internal sealed class PieceMerger
{
    // A character that no piece holds, and from here downwards user-defined symbols: as negative numbers, they never merge.
    private const int Outside = -1;
    private const int FirstFrozen = -2;
    private const int Often = 1 << 14;
    private readonly IReadOnlyList<SpmPiece> _pieces;
    private readonly Dictionary<string, int> _symbols = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly MergeTable _merges = new();
    private readonly Dictionary<char, string[]> _userDefined;

    internal PieceMerger(IReadOnlyList<SpmPiece> pieces)
    {
        _pieces = pieces;
        int next = pieces.Count;
        for (int id = 0; id < pieces.Count; id++)
        {
            if (IsText(pieces[id].Type))
            {
                _symbols[pieces[id].Text] = id;
            }
        }

        // A character may occur in pieces without being one; it still merges.
        foreach (string character in pieces.Where(p => IsText(p.Type)).SelectMany(p => p.Text.EnumerateRunes()).Distinct().Select(r => r.ToString()))
        {
            if (_symbols.TryAdd(character, next))
            {
                next++;
            }
        }

        _bySpan = _symbols.GetAlternateLookup<ReadOnlySpan<char>>();
        var ranks = pieces.Select(p => p.Score).Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(s => s.score, s => s.rank);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (IsText(pieces[id].Type))
            {
                AddMerges(id, pieces[id].Text, ranks[pieces[id].Score]);
            }
        }

        _userDefined = pieces.Where(p => p.Type == SpmPieceType.UserDefined).Select(p => p.Text)
            .GroupBy(text => text[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(text => text.Length).ToArray());
        HasUnused = pieces.Any(p => p.Type == SpmPieceType.Unused);
    }

    /// <summary>Whether pieces may have to be taken apart again.</summary>
    internal bool HasUnused { get; }

    /// <summary>Calls <paramref name="take"/> for each piece in order: its id, or −1 with the text that no piece covers.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    internal void Cut(ReadOnlySpan<char> text, Action<int, string> take, LongStep step = default)
    {
        var (symbols, starts) = Characters(text, step.Stop);
        var parts = HasUnused ? new Dictionary<int, SymbolPair>() : null;
        int[] next = _merges.Apply(symbols, parts is null ? null : NoteParts, step);
        for (int i = symbols.Length > 0 ? 0 : -1, taken = 0; i >= 0; i = next[i], taken++)
        {
            int end = next[i] < 0 ? text.Length : starts[next[i]];
            Emit(symbols[i] <= FirstFrozen ? FirstFrozen - symbols[i] : symbols[i], text[starts[i]..end], parts, take);
            if (taken % Often == 0)
            {
                step.Stop.ThrowIfCancellationRequested();
            }
        }

        void NoteParts(SymbolPair pair, int merged)
        {
            if (_pieces[merged].Type == SpmPieceType.Unused)
            {
                parts[merged] = pair;
            }
        }
    }

    // An unused piece is replaced by what it was merged from.
    private void Emit(int symbol, ReadOnlySpan<char> text, Dictionary<int, SymbolPair>? parts, Action<int, string> take)
    {
        if (symbol < 0 || symbol >= _pieces.Count)
        {
            take(Outside, text.ToString());
        }
        else if (parts is not null && _pieces[symbol].Type == SpmPieceType.Unused && parts.TryGetValue(symbol, out var from))
        {
            int middle = Length(from.Left, text);
            Emit(from.Left, text[..middle], parts, take);
            Emit(from.Right, text[middle..], parts, take);
        }
        else
        {
            take(symbol, "");
        }
    }

    private int Length(int symbol, ReadOnlySpan<char> text)
    {
        if (symbol < _pieces.Count)
        {
            return _pieces[symbol].Text.Length;
        }

        Rune.DecodeFromUtf16(text, out _, out int length);
        return length;
    }

    // The symbol of each character or user-defined symbol, and where it starts.
    private (int[] Symbols, int[] Starts) Characters(ReadOnlySpan<char> text, CancellationToken stop)
    {
        int[] symbols = new int[text.Length], starts = new int[text.Length];
        int count = 0;
        for (int at = 0; at < text.Length; count++)
        {
            int length = UserDefined(text[at..]);
            bool frozen = length > 0;
            if (!frozen)
            {
                Rune.DecodeFromUtf16(text[at..], out _, out length);
            }

            int id = _bySpan.TryGetValue(text.Slice(at, length), out int known) ? known : Outside;
            (symbols[count], starts[count]) = (frozen ? FirstFrozen - id : id, at);
            at += length;
            if (count % Often == 0)
            {
                stop.ThrowIfCancellationRequested();
            }
        }

        Array.Resize(ref symbols, count);
        return (symbols, starts);
    }

    // Characters of the longest user-defined symbol that the text starts with; 0 for none.
    private int UserDefined(ReadOnlySpan<char> text)
    {
        if (_userDefined.TryGetValue(text[0], out string[]? candidates))
        {
            foreach (string symbol in candidates)
            {
                if (text.StartsWith(symbol, StringComparison.Ordinal))
                {
                    return symbol.Length;
                }
            }
        }

        return 0;
    }

    private void AddMerges(int id, string text, int rank)
    {
        for (int middle = 1; middle < text.Length; middle++)
        {
            if (!char.IsLowSurrogate(text[middle])
                && _bySpan.TryGetValue(text.AsSpan(0, middle), out int left) && _bySpan.TryGetValue(text.AsSpan(middle), out int right))
            {
                _merges.TryAdd(new SymbolPair(left, right), rank, id);
            }
        }
    }

    internal static bool IsText(SpmPieceType type) => type is SpmPieceType.Normal or SpmPieceType.UserDefined or SpmPieceType.Unused;
}
