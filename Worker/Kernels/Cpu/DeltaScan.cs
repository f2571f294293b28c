using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

internal static class DeltaScan
{
    internal static (Tensor Y, Tensor State)? Apply(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state) => null;
}
