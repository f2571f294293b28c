using static TorchSharp.torch;

namespace Hearth.Kernels;

internal static class KuramotoSteps
{
    internal static Tensor[]? Apply(Oscillators o) => null;
}
