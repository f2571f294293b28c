using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>libtorch's operators that TorchSharp lacks or has only in part, with autograd.</summary>
public static class Operators
{
    private static readonly Operator s_embedding = new("aten::embedding");
    private static readonly Operator s_viewAs = new("aten::view", "dtype");

    /// <summary>Rows of a table [V,D] at ids [...] (int64): [...,D].</summary>
    public static Tensor Embedding(Tensor ids, Tensor table_VD) => s_embedding.One(table_VD, ids, -1L, false, false);

    /// <summary>The same bits read as another type of the same size.</summary>
    public static Tensor ViewAs(Tensor tensor, ScalarType type) => s_viewAs.One(tensor, type);
}
