
namespace Hearth.Kernels.Cuda;

internal static class AdamW8
{
    internal static bool Step(CodedParameters all, AdamWStep step, double limit) => false;
}
