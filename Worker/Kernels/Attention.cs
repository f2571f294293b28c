using Hearth.Kernels.Door;
using TorchSharp;
using static TorchSharp.torch;

// B batch, H query heads, K key heads, T query rows, S keys, N channels of a head.
namespace Hearth.Kernels;

/// <summary>
/// Attention by dot products through libtorch's operator. On CUDA it chooses among its kernels; under strict determinism
/// (<see cref="Determinism"/>) that is flash attention in its deterministic form for narrow types without a mask, and memory-efficient
/// attention, whose backward pass then takes the keys in one piece, for fp32 and for masks.
/// </summary>
public static class Attention
{
    private static readonly Operator s_attention = new("aten::scaled_dot_product_attention");

    /// <summary>softmax(scale·q kᵀ + mask) v [B,H,T,N].</summary>
    /// <param name="q_BHTN">Queries.</param>
    /// <param name="k_BKSN">Keys; query head h reads head h / (H/K).</param>
    /// <param name="v_BKSN">Values.</param>
    /// <param name="mask">Added to the scores, or true where a row may look; null with <paramref name="causal"/>.</param>
    /// <param name="causal">Row t sees keys 0..t.</param>
    /// <param name="scale">1/√N where null.</param>
    public static Tensor Of(Tensor q_BHTN, Tensor k_BKSN, Tensor v_BKSN, Tensor? mask = null, bool causal = false, double? scale = null)
    {
        bool grouped = q_BHTN.size(1) != k_BKSN.size(1);
        if (grouped && q_BHTN.device_type == DeviceType.CUDA && (mask is not null || q_BHTN.dtype == ScalarType.Float32))
        {
            // Only flash attention reads one head of keys for several of queries; else all scores would be written out.
            (k_BKSN, v_BKSN, grouped) = (Repeat(k_BKSN, q_BHTN.size(1)), Repeat(v_BKSN, q_BHTN.size(1)), false);
        }

        return s_attention.One(q_BHTN, k_BKSN, v_BKSN, Slot.Optional(mask), 0.0, causal, Slot.Optional(scale), grouped);
    }

    /// <summary>Each head for as many query heads as read it: [B,K,S,N] to [B,H,S,N].</summary>
    public static Tensor Repeat(Tensor x_BKSN, long heads)
    {
        long[] shape = x_BKSN.shape;
        return heads == shape[1]
            ? x_BKSN
            : x_BKSN.unsqueeze(2).expand(shape[0], shape[1], heads / shape[1], shape[2], shape[3]).reshape(shape[0], heads, shape[2], shape[3]);
    }
}
