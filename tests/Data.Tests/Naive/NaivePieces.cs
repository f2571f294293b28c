using System.Text;
using Hearth.Tokenizers;

namespace Hearth.Tests;

/// <summary>What <c>PieceMerger</c> means, over texts instead of numbers.</summary>
internal static class NaivePieces
{
    /// <returns>Id of each piece, or −1 with the text that no piece covers.</returns>
    internal static List<(int Id, string Outside)> Cut(IReadOnlyList<SpmPiece> pieces, string text)
    {
        var ids = pieces.Index().Where(p => p.Item.Type is SpmPieceType.Normal or SpmPieceType.Unused or SpmPieceType.UserDefined).ToDictionary(p => p.Item.Text, p => p.Index, StringComparer.Ordinal);
        string[] userDefined = [.. pieces.Where(p => p.Type == SpmPieceType.UserDefined).Select(p => p.Text).OrderByDescending(t => t.Length)];
        var symbols = new List<(string Text, bool Frozen)>();
        for (int at = 0; at < text.Length; at += symbols[^1].Text.Length)
        {
            string? symbol = Array.Find(userDefined, u => string.CompareOrdinal(text, at, u, 0, u.Length) == 0);
            symbols.Add((symbol ?? Rune.GetRuneAt(text, at).ToString(), symbol is not null));
        }

        // The last way in which a piece could be made, wherever in the text.
        var parts = new Dictionary<string, (string Left, string Right)>(StringComparer.Ordinal);
        void Find(int at)
        {
            if (Score(at) is not null)
            {
                parts[symbols[at].Text + symbols[at + 1].Text] = (symbols[at].Text, symbols[at + 1].Text);
            }
        }

        float? Score(int at) => at >= 0 && at + 1 < symbols.Count && !symbols[at].Frozen && !symbols[at + 1].Frozen
            && ids.TryGetValue(symbols[at].Text + symbols[at + 1].Text, out int id) ? pieces[id].Score : null;

        for (int i = 0; i < symbols.Count; i++)
        {
            Find(i);
        }

        while (Enumerable.Range(0, symbols.Count).Where(i => Score(i) is not null).OrderByDescending(i => Score(i)).ThenBy(i => i).Cast<int?>().FirstOrDefault() is { } best)
        {
            symbols[best] = (symbols[best].Text + symbols[best + 1].Text, false);
            symbols.RemoveAt(best + 1);
            Find(best - 1);
            Find(best);
        }

        var cut = new List<(int, string)>();
        void Emit(string symbol)
        {
            if (!ids.TryGetValue(symbol, out int id))
            {
                cut.Add((-1, symbol));
            }
            else if (pieces[id].Type == SpmPieceType.Unused && parts.TryGetValue(symbol, out var from))
            {
                Emit(from.Left);
                Emit(from.Right);
            }
            else
            {
                cut.Add((id, ""));
            }
        }

        symbols.ForEach(s => Emit(s.Text));
        return cut;
    }
}
