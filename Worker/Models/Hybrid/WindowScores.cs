using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, S keys, H heads, N head width, M blocks of W rows.
namespace Hearth.Models.Hybrid;

/// <summary>Causal attention over a window of keys, in a plain and a blocked form, and what is done to its result.</summary>
public static class WindowScores
{
    /// <summary>Masked scores, all keys at once: the plain form of <see cref="Blocks"/>.</summary>
    /// <param name="q_BHTN">Rows at the end of the keys' text.</param>
    /// <param name="k_BHSN">Keys.</param>
    /// <param name="v_BHSN">Values.</param>
    /// <param name="window">Rows before its own that a row sees; null = all.</param>
    public static Tensor Dense(Tensor q_BHTN, Tensor k_BHSN, Tensor v_BHSN, int? window)
    {
        long time = q_BHTN.size(2), keys = k_BHSN.size(2), shift = keys - time;
        var mask_TS = CausalAttention.Mask(time, keys, q_BHTN);
        mask_TS = window is { } w ? mask_TS + full([time, keys], double.NegativeInfinity, q_BHTN.dtype, q_BHTN.device).tril(shift - w - 1) : mask_TS;
        return Attention.Of(q_BHTN, k_BHSN, v_BHSN, mask_TS);
    }

    /// <summary>The same over blocks of <paramref name="window"/> rows, each with its own keys and those of the block before.</summary>
    public static Tensor Blocks(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTN, int window)
    {
        long batch = q_BHTN.size(0), heads = q_BHTN.size(1), time = q_BHTN.size(2), width = q_BHTN.size(3);
        long blocks = (time + window - 1) / window, rest = (blocks * window) - time;
        var q_BHMWN = Pad(q_BHTN, 0, rest).view(batch, heads, blocks, window, width);
        var (k, v) = (Pairs(k_BHTN), Pairs(v_BHTN));
        var mask_WS = full([window, 2 * window], double.NegativeInfinity, q_BHTN.dtype, q_BHTN.device);
        mask_WS = mask_WS.triu(window + 1) + mask_WS.tril(-1);

        // Before the first block there is nothing.
        var first_MWS = zeros([blocks, window, 2 * window], q_BHTN.dtype, q_BHTN.device);
        first_MWS.narrow(0, 0, 1).narrow(2, 0, window).fill_(double.NegativeInfinity);
        var scores = (q_BHMWN * (1 / Math.Sqrt(width))).matmul(k.transpose(-2, -1)) + (first_MWS + mask_WS);
        return scores.softmax(-1).matmul(v).reshape(batch, heads, blocks * window, width).narrow(2, 0, time);

        Tensor Pairs(Tensor x_BHTN)
        {
            var all = Pad(x_BHTN, window, rest).view(batch, heads, blocks + 1, window, width);
            return cat([all.narrow(2, 0, blocks), all.narrow(2, 1, blocks)], 3);
        }
    }

    /// <summary>y − (y·v̂)v̂ with v̂ = v/(‖v‖ + 1e−8), in at least fp32.</summary>
    public static Tensor RemoveDirection(Tensor y_BHTN, Tensor v_BHTN)
    {
        var type = y_BHTN.dtype == float64 ? float64 : float32;
        var (y, v) = (y_BHTN.to(type), v_BHTN.to(type));
        var unit = v / (v.pow(2).sum(-1, keepdim: true).sqrt() + 1e-8);
        return y - (unit * (y * unit).sum(-1, keepdim: true));
    }

    private static Tensor Pad(Tensor x_BHTN, long before, long after)
    {
        long[] Shape(long rows) => [x_BHTN.size(0), x_BHTN.size(1), rows, x_BHTN.size(3)];
        return before + after == 0
            ? x_BHTN
            : cat([zeros(Shape(before), x_BHTN.dtype, x_BHTN.device), x_BHTN, zeros(Shape(after), x_BHTN.dtype, x_BHTN.device)], 2);
    }
}
