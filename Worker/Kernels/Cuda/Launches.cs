using System.Globalization;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>What the kernels' launches share: types, grids, and tensors as kernels want them.</summary>
internal static class Launches
{
    /// <summary>Threads of a block where the kernel leaves it open.</summary>
    internal const int Threads = 256;

    // A few waves over the largest card; kernels loop over what is left.
    private const long MostBlocks = 132 * 32;

    /// <summary>The head that names the element type T of a source: fp32 or bf16.</summary>
    internal static string TypeHead(ScalarType type) => type switch
    {
        ScalarType.Float32 => "typedef float T;\n",
        ScalarType.BFloat16 => "typedef bf16 T;\n",
        _ => throw new KernelException($"a fused kernel takes fp32 or bf16, not {type}"),
    };

    /// <summary>Both forms of a kernel of <c>fused.cu</c>.</summary>
    internal static (CudaKernel Float, CudaKernel Narrow) Fused(string name) =>
        (new CudaKernel("fused", name, TypeHead(ScalarType.Float32)), new CudaKernel("fused", name, TypeHead(ScalarType.BFloat16)));

    internal static CudaKernel For(this (CudaKernel Float, CudaKernel Narrow) kernels, ScalarType type) =>
        type == ScalarType.Float32 ? kernels.Float
        : type == ScalarType.BFloat16 ? kernels.Narrow
        : throw new KernelException($"a fused kernel takes fp32 or bf16, not {type}");

    /// <summary>Blocks for n elements, one a thread and the rest by looping.</summary>
    internal static long Blocks(long n) => Math.Min((n + Threads - 1) / Threads, MostBlocks);

    /// <summary>The tensor itself, or a copy with its elements in order.</summary>
    internal static Tensor InOrder(Tensor x) => x.is_contiguous() ? x : x.contiguous();

    /// <summary>Whether a graph will be built over a kernel of these inputs.</summary>
    internal static bool KeepsGraph(params ReadOnlySpan<Tensor> inputs)
    {
        if (!is_grad_enabled())
        {
            return false;
        }

        foreach (var input in inputs)
        {
            if (input.requires_grad)
            {
                return true;
            }
        }

        return false;
    }

    /// <exception cref="KernelException">The condition does not hold; the message is what the kernel takes and what it got.</exception>
    internal static void Require(bool holds, string takes, params ReadOnlySpan<Tensor> given)
    {
        if (!holds)
        {
            var shapes = new List<string>();
            foreach (var tensor in given)
            {
                shapes.Add(string.Create(CultureInfo.InvariantCulture, $"{tensor.dtype} [{string.Join(',', tensor.shape)}]"));
            }

            throw new KernelException($"{takes}, not {string.Join(", ", shapes)}");
        }
    }
}
