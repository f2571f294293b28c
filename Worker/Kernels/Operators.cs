using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>libtorch's operators that TorchSharp lacks or has only in part, with autograd.</summary>
public static class Operators
{
    private static readonly Operator s_embedding = new("aten::embedding");
    private static readonly Operator s_viewAs = new("aten::view", "dtype");
    private static readonly Operator s_attention = new("aten::scaled_dot_product_attention");

    /// <summary>Rows of a table [V,D] at ids [...] (int64): [...,D].</summary>
    public static Tensor Embedding(Tensor ids, Tensor table_VD) => s_embedding.One(table_VD, ids, -1L, false, false);

    /// <summary>The same bits read as another type of the same size.</summary>
    public static Tensor ViewAs(Tensor tensor, ScalarType type) => s_viewAs.One(tensor, type);

    /// <summary>softmax(q kᵀ/√N + mask) v over heads; the causal mask aligns top-left.</summary>
    /// <param name="q_BHTN">Queries.</param>
    /// <param name="k_BKSN">Keys of K heads, a divisor of H: query head h reads head h / (H/K).</param>
    /// <param name="v_BKSN">Values.</param>
    /// <param name="mask">Added to the scores; null with <paramref name="causal"/>.</param>
    /// <param name="dropout">Share of weights dropped.</param>
    /// <param name="causal">Row t sees keys 0..t.</param>
    public static Tensor Attention(Tensor q_BHTN, Tensor k_BKSN, Tensor v_BKSN, Tensor? mask = null, double dropout = 0, bool causal = false) =>
        s_attention.One(q_BHTN, k_BKSN, v_BKSN, Slot.Optional(mask), dropout, causal, Slot.None, q_BHTN.size(1) != k_BKSN.size(1));
}
