using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cuda;

/// <summary>
/// One AdamW step of parameters with 8-bit moments (arXiv 2110.02861): one launch over all blocks of all tensors. The kernel rounds as the
/// naive form does, so that both give the same codes.
/// </summary>
internal static class AdamW8
{
    private const long BlockOfMoments = 256, Codes = 256, MostBlocks = 132 * 8;
    private const int WarpsOfBlock = Launches.Threads / 32;
    private static readonly CudaKernel s_float = new("moments", "adamw8", "typedef float W;\n");
    private static readonly CudaKernel s_narrow = new("moments", "adamw8", "typedef bf16 W;\n");

    internal static bool Step(CodedParameters all, AdamWStep step, double limit)
    {
        Check(all, step);
        using var scope = NewDisposeScope();
        var (device, type) = (all.Weights[0].device, all.Weights[0].dtype);
        Tensor[] grads = Array.ConvertAll(all.Grads, Launches.InOrder);
        var rows = new List<long>();
        long blocks = 0;
        for (int i = 0; i < all.Weights.Length; i++)
        {
            Tensor[] fields = [all.Weights[i], grads[i], all.First.Codes[i], all.First.Scales[i], all.Second.Codes[i], all.Second.Scales[i]];
            rows.AddRange(fields.Select(TensorTable.Address));
            rows.AddRange([all.Weights[i].numel(), blocks, all.Keys[i]]);
            blocks += BlocksOf(all.Weights[i]);
        }

        var table = TensorTable.On(device, [.. rows]);
        var (first, second) = (all.First.Map, all.Second.Map);
        (type == ScalarType.Float32 ? s_float : s_narrow).Launch(
            device, Math.Min((blocks + WarpsOfBlock - 1) / WarpsOfBlock, MostBlocks), Launches.Threads,
            table, all.Weights.Length, blocks, first[0], first[1], second[0], second[1], Rule(step, limit));
        GC.KeepAlive(all);
        GC.KeepAlive(grads);
        return true;
    }

    /// <summary>The numbers of one step in fp32, in the order of the kernel's struct; the last corrections are reciprocals.</summary>
    internal static LaunchArgument Rule(AdamWStep step, double limit) => LaunchArgument.Floats(
        (float)step.Lr,
        (float)step.Beta1,
        (float)step.Beta2,
        (float)(1 - step.Beta1),
        (float)(1 - step.Beta2),
        (float)step.Eps,
        (float)(1 - (step.Lr * step.WeightDecay)),
        (float)step.CoupledDecay,
        1 / (float)(1 - Math.Pow(step.Beta1, step.Step)),
        1 / (float)(1 - Math.Pow(step.Beta2, step.Step)),
        (float)step.Scale,
        (float)limit);

    private static long BlocksOf(Tensor weight) => (weight.numel() + BlockOfMoments - 1) / BlockOfMoments;

    private static void Check(CodedParameters all, AdamWStep step)
    {
        int count = all.Weights.Length;
        var (first, second) = (all.First, all.Second);
        if (step.Step < 1 || all.Grads.Length != count || all.Keys.Length != count || first.Codes.Length != count || first.Scales.Length != count
            || second.Codes.Length != count || second.Scales.Length != count)
        {
            throw new KernelException($"step {step.Step} of {count} coded parameters: steps count from 1, and all lists are as long as the weights'");
        }

        Tensor[] maps = [.. first.Map, .. second.Map];
        for (int i = 0; i < maps.Length; i++)
        {
            Launches.Require(
                maps.Length == 4 && maps[i].numel() == Codes - (i % 2) && maps[i].is_contiguous() && maps[i].dtype == ScalarType.Float32 && maps[i].device_type == DeviceType.CUDA,
                $"a map on CUDA is {Codes} values and {Codes - 1} middles in fp32 there", maps[i]);
        }

        for (int i = 0; i < count; i++)
        {
            Tensor weight = all.Weights[i], grad = all.Grads[i];
            Launches.Require(
                weight.dtype is ScalarType.Float32 or ScalarType.BFloat16 && weight.dtype == all.Weights[0].dtype && weight.device.index == all.Weights[0].device.index
                    && weight.is_contiguous() && grad.numel() == weight.numel() && grad.dtype == weight.dtype,
                "coded parameters are contiguous, fp32 or bf16 all, on one card, each with a gradient of its type and size", weight, grad);
            foreach (var codes in (ReadOnlySpan<Tensor>)[first.Codes[i], second.Codes[i]])
            {
                Launches.Require(codes.numel() == weight.numel() && codes.dtype == ScalarType.Byte && codes.is_contiguous(), "codes are a byte an element", codes, weight);
            }

            foreach (var scales in (ReadOnlySpan<Tensor>)[first.Scales[i], second.Scales[i]])
            {
                Launches.Require(scales.numel() == BlocksOf(weight) && scales.dtype == ScalarType.Float32 && scales.is_contiguous(), $"scales are one fp32 a block of {BlockOfMoments}", scales, weight);
            }
        }
    }
}
