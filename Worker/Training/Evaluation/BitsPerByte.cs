using Hearth.Models;

namespace Hearth.Training.Evaluation;

/// <summary>Cross entropy over scored targets and the bytes of text that they stand for.</summary>
/// <param name="Nats">Summed over the targets.</param>
public sealed record BitsPerByte(double Nats, long Tokens, long Bytes)
{
    /// <summary>Σ CE / ln 2 / N_bytes; NaN where nothing was scored.</summary>
    public double Value => Bytes == 0 ? double.NaN : Nats / Math.Log(2) / Bytes;

    /// <summary>Scores a model over windows of a stream.</summary>
    /// <param name="model">Any family.</param>
    /// <param name="stream">Token ids.</param>
    /// <param name="windows">Whose rows predict.</param>
    /// <param name="bytes">Bytes of the target at an index of the stream, from 1.</param>
    /// <param name="control">Asked before each window.</param>
    public static BitsPerByte Of(LanguageModel model, IReadOnlyList<int> stream, IEnumerable<EvalWindow> windows, Func<int, int> bytes, TrainerControl control)
    {
        double nats = 0;
        long tokens = 0, size = 0;
        foreach (var window in windows)
        {
            control.ThrowIfStopped();
            int[] ids = new int[window.Length + 1], labels = new int[window.Length + 1];
            labels[0] = TrainingRows.Ignored;
            for (int i = 0; i <= window.Length; i++)
            {
                ids[i] = stream[window.Start + i];
                labels[i] = i > window.FirstScored ? ids[i] : TrainingRows.Ignored;
            }

            nats += TextScore.NatsOf(model, new TrainingRows(ids, labels, ids.Length));
            tokens += window.Scored;
            for (int i = window.FirstScored + 1; i <= window.Length; i++)
            {
                size += bytes(window.Start + i);
            }
        }

        return new BitsPerByte(nats, tokens, size);
    }
}
