using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

internal static class AdamW
{
    internal static bool Step(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step) => false;
}
