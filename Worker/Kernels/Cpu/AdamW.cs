using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using static TorchSharp.torch;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// One AdamW step (Loshchilov &amp; Hutter, arXiv 1711.05101) in one pass per tensor, in the tensors' own precision, each product and sum rounded
/// by itself: m = β₁m + (1−β₁)g, v = β₂v + (1−β₂)g², w = w − lr·wd·w − lr·(m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε), after g ← scale·g.
/// </summary>
internal static unsafe class AdamW
{
    // Elements of a thread's part at least.
    private const long Grain = 16384;

    /// <summary>Weights and moments change in place. True: there is a kernel for fp32 and fp64.</summary>
    /// <exception cref="KernelException">Sizes, types or layouts do not belong together.</exception>
    internal static bool Step(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        Arguments.SameLength("AdamW", weights.Length, ("grads", grads.Length), ("first", first.Length), ("second", second.Length));
        for (int i = 0; i < weights.Length; i++)
        {
            var w = weights[i];
            Arguments.InPlace("AdamW", $"weights[{i}]", w, w.numel(), weights[0].dtype);
            Arguments.InPlace("AdamW", $"first[{i}]", first[i], w.numel(), w.dtype);
            Arguments.InPlace("AdamW", $"second[{i}]", second[i], w.numel(), w.dtype);
            using var grad = grads[i].contiguous();
            Arguments.InPlace("AdamW", $"grads[{i}]", grad, w.numel(), w.dtype);
            if (w.dtype == ScalarType.Float32)
            {
                Update<float>(w, grad, first[i], second[i], step);
            }
            else
            {
                Update<double>(w, grad, first[i], second[i], step);
            }
        }

        return true;
    }

    private static void Update<T>(Tensor weight, Tensor grad, Tensor first, Tensor second, AdamWStep step)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T* w = Memory.Pointer<T>(weight), g = Memory.Pointer<T>(grad), m = Memory.Pointer<T>(first), v = Memory.Pointer<T>(second);
        var rule = new AdamWRule<T>(step);
        Threads.For(weight.numel(), Grain, (begin, end) => Loop(w + begin, g + begin, m + begin, v + begin, end - begin, rule));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Loop<T>(T* w, T* g, T* m, T* v, long count, AdamWRule<T> rule)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T one = T.One, wait = rule.Lr * rule.WeightDecay;
        long i = 0;
        for (; i + Vector256<T>.Count <= count; i += Vector256<T>.Count)
        {
            var grad = Vector256.Load(g + i) * rule.Scale;
            var mean = (Vector256.Load(m + i) * rule.Beta1) + (grad * (one - rule.Beta1));
            var square = (Vector256.Load(v + i) * rule.Beta2) + (grad * (one - rule.Beta2) * grad);
            var weight = Vector256.Load(w + i);
            var step = mean / Vector256.Create(rule.Correction1) / (Vector256.Sqrt(square / Vector256.Create(rule.Correction2)) + Vector256.Create(rule.Eps));
            mean.Store(m + i);
            square.Store(v + i);
            (weight - (weight * wait) - (step * rule.Lr)).Store(w + i);
        }

        for (; i < count; i++)
        {
            T grad = g[i] * rule.Scale;
            m[i] = (m[i] * rule.Beta1) + (grad * (one - rule.Beta1));
            v[i] = (v[i] * rule.Beta2) + (grad * (one - rule.Beta2) * grad);
            T step = m[i] / rule.Correction1 / (T.Sqrt(v[i] / rule.Correction2) + rule.Eps);
            w[i] = w[i] - (w[i] * wait) - (step * rule.Lr);
        }
    }

    /// <summary>A step's numbers in the type of the arithmetic.</summary>
    private readonly struct AdamWRule<T>(AdamWStep step)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        internal T Lr { get; } = T.CreateTruncating(step.Lr);

        internal T Beta1 { get; } = T.CreateTruncating(step.Beta1);

        internal T Beta2 { get; } = T.CreateTruncating(step.Beta2);

        internal T Eps { get; } = T.CreateTruncating(step.Eps);

        internal T WeightDecay { get; } = T.CreateTruncating(step.WeightDecay);

        internal T Correction1 { get; } = T.CreateTruncating(1 - Math.Pow(step.Beta1, step.Step));

        internal T Correction2 { get; } = T.CreateTruncating(1 - Math.Pow(step.Beta2, step.Step));

        internal T Scale { get; } = T.CreateTruncating(step.Scale);
    }
}
