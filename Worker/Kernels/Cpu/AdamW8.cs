
namespace Hearth.Kernels.Cpu;

internal static class AdamW8
{
    internal static bool Step(CodedParameters all, AdamWStep step, double limit) => false;
}
