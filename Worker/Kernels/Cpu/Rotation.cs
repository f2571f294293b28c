using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

internal static class Rotation
{
    internal static Tensor? Apply(Tensor x_BHTN, Tensor cos_HTP, Tensor sin_HTP) => null;
}
