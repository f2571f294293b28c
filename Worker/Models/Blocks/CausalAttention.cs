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
        // With cached keys the rows no longer start at key 0, so the mask is written out.
        long heads = q_BHTN.size(1), time = q_BHTN.size(2), keys = k_BKSN.size(2);
        bool shifted = keys > time;
        var mask = mask_B1TS?.to(q_BHTN.dtype) ?? (shifted && time > 1 ? Mask(time, keys, q_BHTN) : null);
        return Operators.Attention(q_BHTN, k_BKSN, v_BKSN, mask, causal: mask is null && !shifted && time > 1);
    }

    /// <summary>Each head for as many query heads as read it: [B,K,S,N] to [B,H,S,N].</summary>
    public static Tensor Repeat(Tensor x_BKSN, long heads)
    {
        long[] shape = x_BKSN.shape;
        return heads == shape[1]
            ? x_BKSN
            : x_BKSN.unsqueeze(2).expand(shape[0], shape[1], heads / shape[1], shape[2], shape[3]).reshape(shape[0], heads, shape[2], shape[3]);
    }

    /// <summary>0 where a row may look, −∞ where it may not: [T,S].</summary>
    public static Tensor Mask(long time, long keys, Tensor like) =>
        full([time, keys], double.NegativeInfinity, like.dtype, like.device).triu(keys - time + 1);
}
