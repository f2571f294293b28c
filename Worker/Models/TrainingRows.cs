using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>Rows on the host: a whole batch, or what validation reads.</summary>
/// <param name="Ids">Token ids of all rows, one row after the other.</param>
/// <param name="Labels">Unshifted labels in the same places, −100 = not counted.</param>
/// <param name="Length">Tokens of a row, T.</param>
public sealed record TrainingRows(int[] Ids, int[] Labels, int Length)
{
    /// <summary>Number of rows, B.</summary>
    public int Count => Ids.Length / Length;

    /// <summary>
    /// Document of each token, counted within its row; null where rows are read as one text. A token then neither sees nor predicts one
    /// of another document.
    /// </summary>
    public int[]? Documents { get; init; }

    /// <summary>What comes with some of the rows, under the names that <see cref="LossInput.Extras"/> has. On the CPU, where rows are laid out.</summary>
    public IReadOnlyDictionary<string, Tensor> Extras(int first, int count)
    {
        var extras = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        if (Documents is not null)
        {
            extras["documents"] = tensor<int>(Documents.AsSpan(first * Length, count * Length), count, Length);
        }

        return extras;
    }
}
