using System.Text;

namespace Hearth.Training.Tokenizers;

/// <summary>
/// Cuts normalised text into pieces as SentencePiece's BPE does: characters and user-defined symbols first, then the best
/// merge that is left (higher score, then further left) until none is. Symbols are interned, so that a merge is one look-up.
/// </summary>
internal sealed class PieceMerger
{
    private const int Outside = -1;
    private readonly IReadOnlyList<SpmPiece> _pieces;
    private readonly Dictionary<string, int> _symbols = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly Dictionary<(int Left, int Right), int> _merges = [];
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
        for (int id = 0; id < pieces.Count; id++)
        {
            if (IsText(pieces[id].Type))
            {
                AddMerges(id, pieces[id].Text);
            }
        }

        _userDefined = pieces.Where(p => p.Type == SpmPieceType.UserDefined).Select(p => p.Text)
            .GroupBy(text => text[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(text => text.Length).ToArray());
        HasUnused = pieces.Any(p => p.Type == SpmPieceType.Unused);
    }

    /// <summary>Whether pieces may have to be taken apart again.</summary>
    internal bool HasUnused { get; }

    /// <summary>Calls <paramref name="take"/> for each piece in order: its id, or −1 with the text that no piece covers.</summary>
    internal void Cut(ReadOnlySpan<char> text, Action<int, string> take)
    {
        var symbols = Characters(text);
        var agenda = new PriorityQueue<(int Left, int Right, int Length, int Symbol), (float MinusScore, int Left)>();
        var parts = HasUnused ? new Dictionary<int, (int Left, int Right)>() : null;
        void Consider(int left, int right)
        {
            if (left >= 0 && right >= 0 && !symbols[left].Frozen && !symbols[right].Frozen
                && _merges.TryGetValue((symbols[left].Id, symbols[right].Id), out int merged))
            {
                agenda.Enqueue((left, right, symbols[left].Length + symbols[right].Length, merged), (-_pieces[merged].Score, left));
                if (parts is not null && _pieces[merged].Type == SpmPieceType.Unused)
                {
                    parts[merged] = (symbols[left].Id, symbols[right].Id);
                }
            }
        }

        for (int i = 1; i < symbols.Length; i++)
        {
            Consider(i - 1, i);
        }

        while (agenda.TryDequeue(out var best, out _))
        {
            ref var left = ref symbols[best.Left];
            ref var right = ref symbols[best.Right];
            // A merge that went first may have taken either side or made it longer.
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != best.Length)
            {
                continue;
            }

            (left.Id, left.Length, left.Next) = (best.Symbol, best.Length, right.Next);
            right.Length = 0;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = best.Left;
            }

            Consider(left.Previous, best.Left);
            Consider(best.Left, left.Next);
        }

        for (int i = symbols.Length > 0 ? 0 : -1; i >= 0; i = symbols[i].Next)
        {
            Emit(symbols[i].Id, text.Slice(symbols[i].Start, symbols[i].Length), parts, take);
        }
    }

    // An unused piece is replaced by what it was merged from.
    private void Emit(int symbol, ReadOnlySpan<char> text, Dictionary<int, (int Left, int Right)>? parts, Action<int, string> take)
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

    private Symbol[] Characters(ReadOnlySpan<char> text)
    {
        var symbols = new List<Symbol>(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = UserDefined(text[at..]);
            bool frozen = length > 0;
            if (!frozen)
            {
                Rune.DecodeFromUtf16(text[at..], out _, out length);
            }

            int id = _bySpan.TryGetValue(text.Slice(at, length), out int known) ? known : Outside;
            symbols.Add(new Symbol { Start = at, Length = length, Id = id, Frozen = frozen, Previous = symbols.Count - 1, Next = symbols.Count + 1 });
            at += length;
        }

        Symbol[] all = [.. symbols];
        if (all.Length > 0)
        {
            all[^1].Next = -1;
        }

        return all;
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

    private void AddMerges(int id, string text)
    {
        for (int middle = 1; middle < text.Length; middle++)
        {
            if (!char.IsLowSurrogate(text[middle])
                && _bySpan.TryGetValue(text.AsSpan(0, middle), out int left) && _bySpan.TryGetValue(text.AsSpan(middle), out int right))
            {
                _merges[(left, right)] = id;
            }
        }
    }

    internal static bool IsText(SpmPieceType type) => type is SpmPieceType.Normal or SpmPieceType.UserDefined or SpmPieceType.Unused;

    private struct Symbol
    {
        internal int Start;
        internal int Length;
        internal int Id;
        internal int Previous;
        internal int Next;
        internal bool Frozen;
    }
}
