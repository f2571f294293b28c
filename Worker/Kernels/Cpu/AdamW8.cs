using System.Numerics;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// One AdamW step of parameters whose moments are 8-bit codes with a scale per block of 256 (Dettmers et al., arXiv 2110.02861): a block is
/// decoded, updated, used and coded again while it is in the cache. Weights are fp32, fp64, or bf16 without masters.
/// </summary>
internal static unsafe class AdamW8
{
    // Blocks of a thread's part at least.
    private const long Grain = 64;
    private const long Codes = 256;

    /// <summary>Weights, codes and scales change in place. True: there is a kernel for all three types of weights.</summary>
    /// <exception cref="KernelException">Sizes, types or layouts do not belong together.</exception>
    internal static bool Step(CodedParameters all, AdamWStep step, double limit)
    {
        var type = all.Weights[0].dtype;
        Check(all, type);
        for (int i = 0; i < all.Weights.Length; i++)
        {
            using var grad = all.Grads[i].contiguous();
            switch (type)
            {
                case ScalarType.Float64:
                    Update<double, double>(all, i, grad, new Moment8Rule<double>(step, limit, all.Keys[i]));
                    break;
                case ScalarType.Float32:
                    Update<float, float>(all, i, grad, new Moment8Rule<float>(step, limit, all.Keys[i]));
                    break;
                default:
                    Update<ushort, float>(all, i, grad, new Moment8Rule<float>(step, limit, all.Keys[i]));
                    break;
            }
        }

        return true;
    }

    private static void Update<TWeight, T>(CodedParameters all, int index, Tensor grad, Moment8Rule<T> rule)
        where TWeight : unmanaged
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var weight = all.Weights[index];
        Moment8<T> first = new(all.First, index), second = new(all.Second, index);
        TWeight* w = Memory.Pointer<TWeight>(weight), g = Memory.Pointer<TWeight>(grad);
        long count = weight.numel(), blocks = Moment8<T>.Blocks(count);
        Threads.For(blocks, Grain, (begin, end) =>
        {
            T* scratch = Scratch.Of<T>(Moment8Loops<TWeight, T>.ScratchOf);
            for (long block = begin; block < end; block++)
            {
                Moment8Loops<TWeight, T>.Step(w, g, first, second, rule, (block, count), scratch);
            }
        });
    }

    private static void Check(CodedParameters all, ScalarType type)
    {
        const string kernel = "8-bit AdamW";
        if (type is not (ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16))
        {
            throw new KernelException($"{kernel}: weights[0] is {type}. Allowed: Float32, Float64, BFloat16.");
        }

        int n = all.Weights.Length;
        Arguments.SameLength(kernel, n, ("grads", all.Grads.Length), ("keys", all.Keys.Length), ("first.codes", all.First.Codes.Length), ("first.scales", all.First.Scales.Length));
        Arguments.SameLength(kernel, n, ("second.codes", all.Second.Codes.Length), ("second.scales", all.Second.Scales.Length));
        var arithmetic = type == ScalarType.Float64 ? type : ScalarType.Float32;
        foreach (var (name, moment) in new[] { ("first", all.First), ("second", all.Second) })
        {
            Arguments.InPlace(kernel, $"{name}.map[0]", moment.Map[0], Codes, arithmetic);
            Arguments.InPlace(kernel, $"{name}.map[1]", moment.Map[1], Codes - 1, arithmetic);
            for (int i = 0; i < n; i++)
            {
                long count = all.Weights[i].numel();
                Arguments.InPlace(kernel, $"{name}.codes[{i}]", moment.Codes[i], count, ScalarType.Byte);
                Arguments.InPlace(kernel, $"{name}.scales[{i}]", moment.Scales[i], Moment8<float>.Blocks(count), ScalarType.Float32);
            }
        }

        for (int i = 0; i < n; i++)
        {
            Arguments.InPlace(kernel, $"weights[{i}]", all.Weights[i], all.Weights[i].numel(), type);
            Arguments.Like(kernel, $"grads[{i}]", all.Grads[i], all.Weights[i].shape, type);
        }
    }
}
