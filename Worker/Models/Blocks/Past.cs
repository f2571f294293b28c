using static TorchSharp.torch;

// B batch, H heads, T rows of this pass, S rows so far, N head width, C channels.
namespace Hearth.Models.Blocks;

/// <summary>
/// The rows of a text before those of a pass, as its modules read them. This one is of a text that begins with the pass, as every text
/// of training does: there are none. A module asks by itself, and by a word where it asks more than once.
/// </summary>
public class Past
{
    private protected Past()
    {
    }

    /// <summary>Of a text that begins with the pass.</summary>
    public static Past None { get; } = new();

    /// <summary>Keys and values of all rows so far.</summary>
    /// <param name="module">Whose they are.</param>
    /// <param name="k_BHTN">Keys of this pass.</param>
    /// <param name="v_BHTN">Values of this pass.</param>
    /// <param name="window">Rows before these that are still seen; null = all.</param>
    public (Tensor K_BHSN, Tensor V_BHSN) Extend(object module, Tensor k_BHTN, Tensor v_BHTN, int? window = null) =>
        (Extend(module, "keys", k_BHTN, window), Extend(module, "values", v_BHTN, window));

    /// <summary>All rows so far [B,H,S,N], those of this pass [B,H,T,N] last.</summary>
    public virtual Tensor Extend(object module, string name, Tensor rows_BHTN, int? window = null) => rows_BHTN;

    /// <summary>The last <paramref name="count"/> rows [B,count,…] before those of this pass [B,T,…], zeros where the text has fewer; null at its start.</summary>
    public virtual Tensor? Before(object module, string name, Tensor rows_BT, long count) => null;

    /// <summary>The row before each, [B,T,C]: zeros before a text's first.</summary>
    public Tensor Shift(object module, Tensor x_BTC)
    {
        long time = x_BTC.size(1);
        var before_B1C = Before(module, "row", x_BTC, 1) ?? zeros([x_BTC.size(0), 1, x_BTC.size(2)], x_BTC.dtype, x_BTC.device);
        return time == 1 ? before_B1C : cat([before_B1C, x_BTC.narrow(1, 0, time - 1)], 1);
    }

    /// <summary>Outputs of a recurrence that goes on from the state that earlier rows left.</summary>
    /// <param name="module">Whose it is.</param>
    /// <param name="start">The state before a text's first row.</param>
    /// <param name="run">From a state to the outputs and the state after them.</param>
    public virtual Tensor Scan(object module, Tensor start, Func<Tensor, (Tensor Y, Tensor State)> run) => run(start).Y;
}
