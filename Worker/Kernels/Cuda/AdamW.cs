using Hearth.Kernels.Door;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>libtorch's own multi-tensor AdamW. It divides gradients by a scale where ours multiply.</summary>
internal static class AdamW
{
    private static readonly Operator s_fused = new("aten::_fused_adamw_");

    internal static bool Step(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        using var scope = NewDisposeScope();
        var device = weights[0].device;
        var count = full([], step.Step, ScalarType.Float32, device);
        var divisor = step.Scale == 1 ? null : full([], 1 / step.Scale, ScalarType.Float32, device);
        var counts = new Tensor[weights.Length];
        Array.Fill(counts, count);
        s_fused.Do(
            weights, grads, first, second, Array.Empty<Tensor>(), counts, step.Lr, step.Beta1, step.Beta2, step.WeightDecay, step.Eps, false, false,
            Slot.Optional(divisor), Slot.None);
        return true;
    }
}
