using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>Rows on the host: a whole batch, or what validation reads.</summary>
/// <param name="Ids">Token ids of all rows, one row after the other.</param>
/// <param name="Labels">Unshifted labels in the same places, −100 = not counted.</param>
/// <param name="Length">Tokens of a row, T.</param>
public sealed record TrainingRows(int[] Ids, int[] Labels, int Length)
{
    /// <summary>The label of a token that is no target.</summary>
    public const int Ignored = -100;

    /// <summary>Number of rows, B.</summary>
    public int Count => Ids.Length / Length;

    /// <summary>
    /// Document of each token, counted within its row; null where rows are read as one text. A token then neither sees nor predicts one
    /// of another document.
    /// </summary>
    public int[]? Documents { get; init; }

    /// <summary>Tokens of each row before its pads, [B]; null where every row is full.</summary>
    public int[]? Lengths { get; init; }

    /// <summary>What the rows decide; null where nothing is said of them.</summary>
    public DecisionRows? Decisions { get; init; }

    /// <summary>What comes with some of the rows, under the names that <see cref="LossInput.Extras"/> has. On the CPU, where rows are laid out.</summary>
    public IReadOnlyDictionary<string, Tensor> Extras(int first, int count)
    {
        var extras = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        if (Documents is not null)
        {
            extras["documents"] = HostValues.TensorOf<int>(Documents.AsSpan(first * Length, count * Length), count, Length);
        }

        Add("lengths", Lengths);
        if (Decisions is { } decisions)
        {
            Add("decision_pos", decisions.Positions);
            Add("decision_label", decisions.Labels);
            extras["class_weight"] = tensor(decisions.ClassWeights);
        }

        return extras;

        void Add(string name, int[]? values)
        {
            if (values is not null)
            {
                extras[name] = HostValues.TensorOf<int>(values.AsSpan(first, count)).to(int64);
            }
        }
    }
}

/// <summary>The classes of a batch's rows.</summary>
/// <param name="Positions">Token of each row at which it decides, −1 = none.</param>
/// <param name="Labels">Class of each row, −1 = none.</param>
/// <param name="ClassWeights">Factors of the classes, counted over the whole training set.</param>
public sealed record DecisionRows(int[] Positions, int[] Labels, double[] ClassWeights);
