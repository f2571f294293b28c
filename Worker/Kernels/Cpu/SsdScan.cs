using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

internal static class SsdScan
{
    internal static (Tensor Y, Tensor State)? Apply(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state) => null;
}
