using Hearth.Kernels;
using Hearth.Models;
using TorchSharp;
using static TorchSharp.torch;

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
        using var quiet = torch.no_grad();
        double nats = 0;
        long tokens = 0, size = 0;
        foreach (var window in windows)
        {
            control.ThrowIfStopped();
            using var scope = torch.NewDisposeScope();
            int[] ids = new int[window.Length + 1], labels = new int[window.Length + 1];
            labels[0] = -100;
            for (int i = 0; i <= window.Length; i++)
            {
                ids[i] = stream[window.Start + i];
                labels[i] = i > window.FirstScored ? ids[i] : -100;
            }

            var totals = model.Count(labels, ids.Length);
            nats += model.Loss(Row(ids, model), Row(labels, model), totals).Terms[0].Sum.Number();
            tokens += window.Scored;
            for (int i = window.FirstScored + 1; i <= window.Length; i++)
            {
                size += bytes(window.Start + i);
            }
        }

        return new BitsPerByte(nats, tokens, size);
    }

    private static Tensor Row(int[] values, LanguageModel model) => torch.tensor(values, 1, values.Length).to(torch.int64).to(model.Device);
}
