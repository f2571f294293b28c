using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

/// <summary>Checks of what a kernel is given: its loops read memory by address.</summary>
internal static class Arguments
{
    internal static void Dimensions(string kernel, string name, Tensor tensor, int dimensions)
    {
        if (tensor.dim() != dimensions)
        {
            throw new KernelException($"{kernel}: {name} is {Text(tensor.shape)}. Allowed: {dimensions} dimensions.");
        }
    }

    internal static void Like(string kernel, string name, Tensor tensor, ReadOnlySpan<long> shape, ScalarType type)
    {
        if (!shape.SequenceEqual(tensor.shape) || tensor.dtype != type)
        {
            throw new KernelException($"{kernel}: {name} is {Text(tensor.shape)} {tensor.dtype}. Allowed: {Text(shape)} {type}.");
        }
    }

    internal static void SameLength(string kernel, int weights, params ReadOnlySpan<(string Name, int Length)> lists)
    {
        foreach (var (name, length) in lists)
        {
            if (length != weights)
            {
                throw new KernelException($"{kernel}: {name} holds {length} tensors. Allowed: {weights}, as many as weights.");
            }
        }
    }

    /// <summary>A tensor that a kernel reads or writes where it lies.</summary>
    internal static void InPlace(string kernel, string name, Tensor tensor, long count, ScalarType type)
    {
        if (tensor.numel() != count || tensor.dtype != type || !tensor.is_contiguous())
        {
            string layout = tensor.is_contiguous() ? "contiguous" : "not contiguous";
            throw new KernelException($"{kernel}: {name} has {tensor.numel()} elements of {tensor.dtype}, {layout}. Allowed: {count} of {type}, contiguous.");
        }
    }

    private static string Text(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";
}
