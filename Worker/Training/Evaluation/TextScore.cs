using Hearth.Kernels;
using Hearth.Models;
using Hearth.Tokenizers;
using static TorchSharp.torch;

namespace Hearth.Training.Evaluation;

/// <summary>How well a model predicts rows of text, summed over batches.</summary>
public sealed class TextScore
{
    private readonly List<(double Nats, long Targets)> _batches = [];

    public long Targets { get; private set; }

    /// <summary>Of text that the targets stand for.</summary>
    public long Bytes { get; private set; }

    public double Nats { get; private set; }

    /// <summary>Nats per target.</summary>
    public double Loss => Nats / Targets;

    /// <summary>Bits per byte of text; NaN where the targets have none.</summary>
    public double BitsPerByte => new BitsPerByte(Nats, Targets, Bytes).Value;

    /// <summary>
    /// Standard error of <see cref="Loss"/>, that of a ratio of sums over batches (Cochran, Sampling Techniques, 3rd ed., eq. 6.13); NaN for fewer than two.
    /// </summary>
    public double StandardError
    {
        get
        {
            double squares = _batches.Sum(b => Math.Pow(b.Nats - (Loss * b.Targets), 2));
            return _batches.Count < 2 ? double.NaN : Math.Sqrt(squares * _batches.Count / (_batches.Count - 1)) / Targets;
        }
    }

    /// <summary>Scores a batch by the model's next-token loss.</summary>
    public void Add(LanguageModel model, ITokenizer tokenizer, TrainingRows rows)
    {
        double nats = NatsOf(model, rows);
        var (targets, bytes) = TargetBytes.Of(rows, tokenizer);
        _batches.Add((nats, targets));
        (Nats, Targets, Bytes) = (Nats + nats, Targets + targets, Bytes + bytes);
    }

    /// <summary>Cross entropy of the next-token targets of rows, summed, in nats.</summary>
    public static double NatsOf(LanguageModel model, TrainingRows rows)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        Tensor Rows(int[] values) => tensor(values, rows.Count, rows.Length).to(int64).to(model.Device);
        return model.Loss(new LossInput(Rows(rows.Ids), Rows(rows.Labels), model.Count(rows)) { Extras = rows.Extras(0, rows.Count) }).Terms[0].Sum.Number();
    }
}
