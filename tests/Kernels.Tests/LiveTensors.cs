using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>How many tensors the process holds.</summary>
internal static class LiveTensors
{
    /// <summary>Tensors alive once those that earlier tests dropped are finalised: what a count of leaks starts from.</summary>
    public static long Settled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }
}
