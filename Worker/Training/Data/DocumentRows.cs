using Hearth.Data;
using Hearth.Models;
using Hearth.Models.Blocks;

namespace Hearth.Training.Data;

/// <summary>
/// Reads a shard of conversations or with row metadata row by row: a document is a row, cut at the row's length, padded behind its last token with
/// labels of −100, which tokens that are no targets have too.
/// </summary>
/// <param name="shard">Of such rows.</param>
/// <param name="length">Tokens of a row, T.</param>
/// <param name="padToken">Any token: causal models do not see what comes later, and no pad is a target.</param>
/// <param name="classWeights">Factors of the decision's classes.</param>
internal sealed class DocumentRows(Shard shard, int length, int padToken, double[] classWeights) : IRowSource
{
    private const int None = -1;

    public long Count => shard.DocumentCount;

    /// <summary>Factors w_c = N/(C·N_c) of the decision's classes over all rows of a shard that decide.</summary>
    public static double[] ClassWeights(Shard training)
    {
        long[] counts = new long[RowMetadata.Classes];
        foreach (var row in (training.Rows ?? []).Where(r => r.Decides))
        {
            counts[row.DecisionLabel!.Value]++;
        }

        return DecisionHeadConfig.ClassWeights(counts);
    }

    public TrainingRows Read(int rows, Func<int, long> place)
    {
        int[] ids = new int[rows * length], labels = new int[rows * length], lengths = new int[rows];
        int[] positions = new int[rows], classes = new int[rows];
        Array.Fill(ids, padToken);
        Array.Fill(labels, TrainingRows.Ignored);
        for (int row = 0; row < rows; row++)
        {
            long index = place(row);
            var (start, whole) = shard.Extent(index);
            int tokens = lengths[row] = Math.Min(whole, length);
            shard.ReadLabelled(start, ids.AsSpan(row * length, tokens), labels.AsSpan(row * length, tokens));

            // A position that the cut took away is no position.
            var metadata = shard.Rows is { } said ? said[(int)index] : default;
            int position = metadata.DecisionPos ?? tokens - 1;
            bool decides = metadata.Decides && position < tokens;
            (positions[row], classes[row]) = decides ? (position, metadata.DecisionLabel!.Value) : (None, None);
        }

        return new TrainingRows(ids, labels, length)
        {
            Decisions = shard.Rows is null ? null : new DecisionRows(positions, classes, classWeights),
            Lengths = lengths,
        };
    }
}
