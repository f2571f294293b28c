using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T query rows, S key rows, H query heads, K key/value heads, N head width.
namespace Hearth.Models.Blocks;

/// <summary>Causal softmax attention over grouped heads; the query rows are the last of the key rows.</summary>
public static class CausalAttention
{
    /// <summary>softmax(q kᵀ/√N) v; query head h reads key/value head h / (H/K).</summary>
    /// <param name="q_BHTN">Queries.</param>
    /// <param name="k_BKSN">Keys, S ≥ T.</param>
    /// <param name="v_BKSN">Values.</param>
    /// <param name="mask_B1TS">An additive mask in place of the causal one.</param>
    public static Tensor Attend(Tensor q_BHTN, Tensor k_BKSN, Tensor v_BKSN, Tensor? mask_B1TS = null)
    {
        // Behind earlier keys the rows do not start at key 0, so the mask is written out.
        long heads = q_BHTN.size(1), time = q_BHTN.size(2), keys = k_BKSN.size(2);
        bool shifted = keys > time;
        var mask = mask_B1TS?.to(q_BHTN.dtype) ?? (shifted && time > 1 ? Mask(time, keys, q_BHTN) : null);
        return Attention.Of(q_BHTN, k_BKSN, v_BKSN, mask, causal: mask is null && !shifted && time > 1);
    }

    /// <summary>0 where a row may look, −∞ where it may not: [T,S].</summary>
    public static Tensor Mask(long time, long keys, Tensor like) =>
        full([time, keys], double.NegativeInfinity, like.dtype, like.device).triu(keys - time + 1);
}
