using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

internal static class CausalConv
{
    internal static Tensor? Apply(Tensor padded_BRC, Tensor taps_CJ) => null;
}
