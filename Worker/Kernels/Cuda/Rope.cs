using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

internal static class Rope
{
    internal static Tensor? Apply(Tensor x_BHTN, Tensor cos_TP, Tensor sin_TP) => null;
}
