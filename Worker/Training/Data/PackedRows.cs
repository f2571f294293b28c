using Hearth.Models;

namespace Hearth.Training.Data;

/// <summary>
/// Whole conversations side by side in rows of one length, for models that keep documents apart: none is cut that fits a row, and few tokens are
/// padding. Which stand together is a pure function of their lengths: each goes, in the shard's order, to the fullest open row that it fits (best
/// fit, Johnson 1974), so that a resumed run has the same rows.
/// </summary>
public sealed class PackedRows : IRowSource
{
    // Rows that are this full take no more, so that the search stays short.
    private const int Spare = 8;
    private readonly Shard _shard;
    private readonly int _length;
    private readonly int _padToken;
    private readonly List<List<int>> _rows = [];

    /// <param name="shard">Of conversations.</param>
    /// <param name="length">Tokens of a row, T.</param>
    /// <param name="padToken">Any token: a pad is a document of its own and no target.</param>
    public PackedRows(Shard shard, int length, int padToken)
    {
        (_shard, _length, _padToken) = (shard, length, padToken);
        var open = new SortedSet<(int Free, int Row)>();
        for (int document = 0; document < shard.DocumentCount; document++)
        {
            int tokens = Math.Min(shard.Extent(document).Length, length);
            var (free, row) = open.GetViewBetween((tokens, 0), (length, int.MaxValue)).Min;
            if (free == 0)
            {
                (free, row) = (length, _rows.Count);
                _rows.Add([]);
            }
            else
            {
                open.Remove((free, row));
            }

            _rows[row].Add(document);
            if (free - tokens > Spare)
            {
                open.Add((free - tokens, row));
            }
        }
    }

    /// <summary>Rows of all conversations, each in one of them.</summary>
    public long Count => _rows.Count;

    /// <summary>Rows [B,T] with the conversation of each token; labels are −100 where a token is no target.</summary>
    public TrainingRows Read(int rows, Func<int, long> place)
    {
        int[] ids = new int[rows * _length], labels = new int[ids.Length], documents = new int[ids.Length];
        Array.Fill(ids, _padToken);
        Array.Fill(labels, TrainingRows.Ignored);
        for (int b = 0; b < rows; b++)
        {
            int at = b * _length, end = at + _length, number = 0;
            foreach (int document in _rows[(int)place(b)])
            {
                var (start, whole) = _shard.Extent(document);
                int tokens = Math.Min(whole, _length);
                _shard.ReadLabelled(start, ids.AsSpan(at, tokens), labels.AsSpan(at, tokens));
                documents.AsSpan(at, tokens).Fill(number++);
                at += tokens;
            }

            documents.AsSpan(at, end - at).Fill(number);
        }

        return new TrainingRows(ids, labels, _length) { Documents = documents };
    }
}
