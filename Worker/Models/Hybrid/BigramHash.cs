using static TorchSharp.torch;

// B batch, T time.
namespace Hearth.Models.Hybrid;

/// <summary>Hash of a token and the one before it into a table of pairs.</summary>
public static class BigramHash
{
    private const long CurrentFactor = 36313;
    private const long PreviousFactor = 27191;

    /// <summary>
    /// Rows of the pair table, int64 [B,T]: ((36313·id_t) xor (27191·id_{t−1})) mod (rows − 1), and the last row at position 0.
    /// </summary>
    /// <param name="ids_BT">int64.</param>
    /// <param name="before_B1">The token before the first column; null at the start of a text.</param>
    /// <param name="rows">Of the table.</param>
    public static Tensor Rows(Tensor ids_BT, Tensor? before_B1, int rows)
    {
        long batch = ids_BT.size(0), time = ids_BT.size(1);
        var first_B1 = before_B1 ?? zeros([batch, 1], int64, ids_BT.device);
        var previous_BT = cat([first_B1, ids_BT.narrow(1, 0, time - 1)], 1);
        var hashed_BT = (ids_BT * CurrentFactor).bitwise_xor(previous_BT * PreviousFactor).remainder(rows - 1);
        if (before_B1 is null)
        {
            hashed_BT.narrow(1, 0, 1).fill_(rows - 1);
        }

        return hashed_BT;
    }
}
