using Hearth.Models;
using Hearth.Tokenizers;

namespace Hearth.Training.Evaluation;

/// <summary>The next-token targets of rows, and the bytes of text that they stand for: what turns nats per token into bits per byte.</summary>
/// <param name="Targets">Labels that count and have a token of their document before them.</param>
/// <param name="Bytes">Of text; a token that ends a document has none.</param>
public readonly record struct TargetBytes(long Targets, long Bytes)
{
    public static TargetBytes Of(TrainingRows rows, ITokenizer tokenizer)
    {
        long targets = 0, bytes = 0;
        for (int i = 1; i < rows.Ids.Length; i++)
        {
            bool follows = i % rows.Length > 0 && (rows.Documents is not { } documents || documents[i] == documents[i - 1]);
            if (follows && rows.Labels[i] >= 0)
            {
                targets++;
                bytes += tokenizer.ByteCount(rows.Ids[i], rows.Ids[i - 1]);
            }
        }

        return new TargetBytes(targets, bytes);
    }

    /// <summary>Mean nats per target as bits per byte of text; null where the targets have no text, or the model counts others than these.</summary>
    /// <param name="loss">Nats per target.</param>
    /// <param name="counted">Targets that the model counts.</param>
    public double? BitsPerByte(double loss, long counted) => Bytes == 0 || counted != Targets ? null : new BitsPerByte(loss * Targets, Targets, Bytes).Value;
}
