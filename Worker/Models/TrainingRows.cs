namespace Hearth.Models;

/// <summary>Rows on the host: a whole batch, or what validation reads.</summary>
/// <param name="Ids">Token ids of all rows, one row after the other.</param>
/// <param name="Labels">Unshifted labels in the same places, −100 = not counted.</param>
/// <param name="Length">Tokens of a row, T.</param>
public sealed record TrainingRows(int[] Ids, int[] Labels, int Length)
{
    /// <summary>Number of rows, B.</summary>
    public int Count => Ids.Length / Length;
}
