using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels.Cpu;

/// <summary>A step's numbers in the type of the arithmetic, and the key of a parameter's random numbers.</summary>
internal readonly struct Moment8Rule<T>(AdamWStep step, double limit, long key)
    where T : unmanaged, IFloatingPointIeee754<T>
{
    internal T Lr { get; } = T.CreateTruncating(step.Lr);

    internal T Beta1 { get; } = T.CreateTruncating(step.Beta1);

    internal T Beta2 { get; } = T.CreateTruncating(step.Beta2);

    internal T New1 { get; } = T.CreateTruncating(1 - step.Beta1);

    internal T New2 { get; } = T.CreateTruncating(1 - step.Beta2);

    internal T Eps { get; } = T.CreateTruncating(step.Eps);

    internal T Keep { get; } = T.CreateTruncating(1 - (step.Lr * step.WeightDecay));

    internal T Couple { get; } = T.CreateTruncating(step.CoupledDecay);

    internal T Correction1 { get; } = T.CreateTruncating(1 - Math.Pow(step.Beta1, step.Step));

    internal T Correction2 { get; } = T.CreateTruncating(1 - Math.Pow(step.Beta2, step.Step));

    internal T Scale { get; } = T.CreateTruncating(step.Scale);

    internal T Limit { get; } = T.CreateTruncating(limit);

    internal long Key { get; } = key;
}

/// <summary>
/// The 8-bit step over one block, each product and sum rounded by itself: m = β₁m + (1−β₁)g, v = β₂v + (1−β₂)g², w = w(1 − lr·wd) − lr·clamp(…).
/// An element whose gradient is not finite keeps its weight and loses its moments.
/// </summary>
/// <typeparam name="TWeight">float, double, or the bits of a bf16.</typeparam>
/// <typeparam name="T">Type of the arithmetic.</typeparam>
internal static unsafe class Moment8Loops<TWeight, T>
    where TWeight : unmanaged
    where T : unmanaged, IFloatingPointIeee754<T>
{
    private const int Block = Moment8<T>.Block;

    /// <summary>Numbers of scratch memory that a step needs: weights, gradients, both moments.</summary>
    internal static long ScratchOf => 4 * Block;

    /// <param name="where">The block's number, and elements of the whole parameter.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Step(TWeight* weights, TWeight* grads, Moment8<T> first, Moment8<T> second, in Moment8Rule<T> rule, (long Block, long Count) where, T* scratch)
    {
        long begin = where.Block * Block;
        int count = (int)Math.Min(Block, where.Count - begin);
        T* w = scratch, g = w + Block, m = g + Block, v = m + Block;
        Widen(weights + begin, w, count);
        Widen(grads + begin, g, count);
        first.Decode(where.Block, count, m);
        second.Decode(where.Block, count, v);

        // A short block is filled up with zeros, which are no block's largest and are not written back.
        for (int i = count; i < Block; i++)
        {
            w[i] = g[i] = m[i] = v[i] = T.Zero;
        }

        var (mostM, mostV) = Update(w, g, m, v, rule);
        first.Encode(where.Block, count, m, mostM);
        second.Encode(where.Block, count, v, mostV);
        Narrow(w, g, weights + begin, count, (begin, rule.Key));
    }

    // The new weights in w, gradients as the step saw them in g, moments in m and v; gives the largest of both.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (T First, T Second) Update(T* w, T* g, T* m, T* v, in Moment8Rule<T> rule)
    {
        Vector256<T> mostM = default, mostV = default, limit = Vector256.Create(rule.Limit), infinity = Vector256.Create(T.PositiveInfinity);
        for (int i = 0; i < Block; i += Vector256<T>.Count)
        {
            var weight = Vector256.Load(w + i);
            var grad = Vector256.Load(g + i) * rule.Scale;
            if (rule.Couple != T.Zero)
            {
                grad += weight * rule.Couple;
            }

            var finite = Vector256.LessThan(Vector256.Abs(grad), infinity);
            var mean = ((Vector256.Load(m + i) * rule.Beta1) + (grad * rule.New1)) & finite;
            var square = ((Vector256.Load(v + i) * rule.Beta2) + (grad * grad * rule.New2)) & finite;
            var step = mean / Vector256.Create(rule.Correction1) / (Vector256.Sqrt(square / Vector256.Create(rule.Correction2)) + Vector256.Create(rule.Eps));
            step = Vector256.ConditionalSelect(Vector256.LessThan(step, -limit), -limit, step);
            step = Vector256.ConditionalSelect(Vector256.LessThan(limit, step), limit, step);
            Vector256.ConditionalSelect(finite, (weight * rule.Keep) - (step * rule.Lr), weight).Store(w + i);
            grad.Store(g + i);
            mean.Store(m + i);
            square.Store(v + i);
            mostM = Vector256.ConditionalSelect(Vector256.LessThan(mostM, Vector256.Abs(mean)), Vector256.Abs(mean), mostM);
            mostV = Vector256.ConditionalSelect(Vector256.LessThan(mostV, square), square, mostV);
        }

        return (Largest(mostM), Largest(mostV));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Largest(Vector256<T> values)
    {
        T most = values[0];
        for (int i = 1; i < Vector256<T>.Count; i++)
        {
            most = most < values[i] ? values[i] : most;
        }

        return most;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(TWeight* from, T* to, int count)
    {
        if (typeof(TWeight) == typeof(T))
        {
            Buffer.MemoryCopy(from, to, Block * sizeof(T), (long)count * sizeof(T));
            return;
        }

        for (int i = 0; i < count; i++)
        {
            ((uint*)to)[i] = (uint)((ushort*)from)[i] << 16;
        }
    }

    // bf16: up or down at random in proportion to the distance (Gupta et al., arXiv 1502.02551), by a hash of the key and the element's
    // index, so that a step repeats its bits. Where the gradient was not finite the weight stays, and so it does here: an exact bf16.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Narrow(T* w, T* grad, TWeight* to, int count, (long Begin, long Key) at)
    {
        if (typeof(TWeight) == typeof(T))
        {
            Buffer.MemoryCopy(w, to, (long)count * sizeof(T), (long)count * sizeof(T));
            return;
        }

        uint low = (uint)at.Key, high = (uint)(at.Key >> 32);
        for (int i = 0; i < count; i++)
        {
            uint bits = ((uint*)w)[i];
            if (T.IsFinite(grad[i]) && (bits & Exponent) != Exponent)
            {
                bits += Mixed(Mixed((uint)(at.Begin + i) ^ low) + high) >> 16;
            }

            ((ushort*)to)[i] = (ushort)(bits >> 16);
        }
    }

    private const uint Exponent = 0x7F800000;

    // MurmurHash3's finaliser.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Mixed(uint x)
    {
        x = (x ^ (x >> 16)) * 0x85EBCA6B;
        x = (x ^ (x >> 13)) * 0xC2B2AE35;
        return x ^ (x >> 16);
    }
}
