using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

internal static class SwiGlu
{
    internal static Tensor? Apply(Tensor gate, Tensor up) => null;
}
