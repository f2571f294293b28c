using Hearth.Models;
using Hearth.Training.Data;

namespace Hearth.Training.Evaluation;

/// <summary>Encoded documents as batches to score. Pure.</summary>
internal static class ScoredRows
{
    /// <summary>
    /// Texts end to end in rows that share a token with the next, as a run's evaluation reads them, the last one as long as what is left. Conversations a row
    /// each, cut to its length, padded to the longest of their batch.
    /// </summary>
    /// <param name="documents">In order.</param>
    /// <param name="length">Tokens of a row, T.</param>
    /// <param name="rows">Of a batch, B, at most.</param>
    /// <param name="pad">Any token: pads are no targets.</param>
    internal static IEnumerable<TrainingRows> Of(IEnumerable<EncodedDocument> documents, int length, int rows, int pad)
    {
        var waiting = new List<int>();
        var conversations = new List<EncodedDocument>();
        foreach (var document in documents.Where(d => d.Fault is null))
        {
            if (document.Targets is not null)
            {
                conversations.Add(document);
                if (conversations.Count == rows)
                {
                    yield return Side(conversations, length, pad);
                    conversations.Clear();
                }

                continue;
            }

            waiting.AddRange(document.Ids);
            for (int whole = Batch(length, rows); waiting.Count >= whole; waiting.RemoveRange(0, whole - 1))
            {
                yield return Windows(waiting, length, rows);
            }
        }

        if (conversations.Count > 0)
        {
            yield return Side(conversations, length, pad);
        }

        if ((waiting.Count - 1) / (length - 1) is > 0 and var left)
        {
            yield return Windows(waiting, length, left);
            waiting.RemoveRange(0, left * (length - 1));
        }

        if (waiting.Count > 1)
        {
            yield return Windows(waiting, waiting.Count, 1);
        }
    }

    // Tokens of so many rows, neighbours sharing one.
    private static int Batch(int length, int rows) => (rows * (length - 1)) + 1;

    private static TrainingRows Windows(List<int> tokens, int length, int rows)
    {
        int[] ids = new int[rows * length];
        for (int row = 0; row < rows; row++)
        {
            tokens.CopyTo(row * (length - 1), ids, row * length, length);
        }

        return new TrainingRows(ids, ids, length);
    }

    private static TrainingRows Side(List<EncodedDocument> conversations, int length, int pad)
    {
        int longest = Math.Max(2, Math.Min(length, conversations.Max(c => c.Ids.Length)));
        int[] ids = new int[conversations.Count * longest], labels = new int[ids.Length], lengths = new int[conversations.Count];
        Array.Fill(ids, pad);
        Array.Fill(labels, TrainingRows.Ignored);
        foreach (var (row, (tokens, targets, _)) in conversations.Index())
        {
            lengths[row] = Math.Min(longest, tokens.Length);
            for (int i = 0; i < lengths[row]; i++)
            {
                int at = (row * longest) + i;
                (ids[at], labels[at]) = (tokens[i], targets![i] ? tokens[i] : TrainingRows.Ignored);
            }
        }

        return new TrainingRows(ids, labels, longest) { Lengths = lengths };
    }
}
