using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using static TorchSharp.torch;

// B batch, H heads, T time, N head width, P = N/2 pairs, G sets of angles: H, or 1 that all heads share.
namespace Hearth.Kernels.Cpu;

/// <summary>
/// Rotary positions (Su et al., arXiv 2104.09864) by learned angles, pairs (p, p + N/2), forward and backward (x, cosines, sines) in one pass
/// each. Products and sums are rounded one by one, as the plain operators do.
/// </summary>
internal static unsafe class Rotation
{
    // Positions of a thread's part at least, of one set's angles.
    private const long Grain = 16;

    /// <summary>x [B,H,T,N] may have any layout with whole rows; cosines and sines are [G,T,P].</summary>
    internal static Tensor Apply(Tensor x_BHTN, Tensor cos_GTP, Tensor sin_GTP)
    {
        Check(x_BHTN, cos_GTP, sin_GTP);
        Tensor[] inputs = [x_BHTN, cos_GTP, sin_GTP];
        return AutogradNode.Apply(
            inputs,
            () => new ForwardPass([x_BHTN.dtype == ScalarType.Float32 ? Forward<float>(inputs) : Forward<double>(inputs)], inputs),
            (saved, grads) => saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved, grads[0]!) : Backward<double>(saved, grads[0]!))[0];
    }

    private static void Check(Tensor x, Tensor cos, Tensor sin)
    {
        const string kernel = "rotation";
        Arguments.Dimensions(kernel, "x", x, 4);
        Arguments.Dimensions(kernel, "cos", cos, 3);
        if (x.size(3) % 2 != 0)
        {
            throw new KernelException($"{kernel}: x has rows of {x.size(3)}. Allowed: pairs, an even number.");
        }

        Arguments.Like(kernel, "cos", cos, [cos.size(0) == 1 ? 1 : x.size(1), x.size(2), x.size(3) / 2], x.dtype);
        Arguments.Like(kernel, "sin", sin, cos.shape, x.dtype);
    }

    private static Tensor Forward<T>(Tensor[] inputs)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var x = WholeRows(inputs[0]);
        using var cos = inputs[1].contiguous();
        using var sin = inputs[2].contiguous();
        var y = empty(x.shape, x.dtype);
        View<T> from = new(x), to = new(y);
        T* c = Memory.Pointer<T>(cos), s = Memory.Pointer<T>(sin);
        long heads = x.size(1), time = x.size(2), half = x.size(3) / 2, shared = cos.size(0) == 1 ? 0 : 1;
        Threads.For(x.size(0) * heads, 1, (begin, end) =>
        {
            for (long i = begin; i < end; i++)
            {
                long angles = i % heads * shared * time * half;
                Turn(from.Row(i / heads, i % heads, 0), from.Time, to.Row(i / heads, i % heads, 0), c + angles, s + angles, time, half);
            }
        });
        return y;
    }

    private static Tensor?[] Backward<T>(Tensor[] saved, Tensor dy_BHTN)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var dy = WholeRows(dy_BHTN);
        using var x = WholeRows(saved[0]);
        using var cos = saved[1].contiguous();
        using var sin = saved[2].contiguous();

        // In x's own layout, so that the projection before gets its gradient without a copy.
        var dx = empty_like(x);
        if (dx.stride(3) != 1)
        {
            dx.Dispose();
            dx = empty(x.shape, x.dtype);
        }

        Tensor dCos = empty(cos.shape, x.dtype), dSin = empty(cos.shape, x.dtype);
        var job = new BackJob<T>
        {
            X = new(x),
            DY = new(dy),
            DX = new(dx),
            Cos = Memory.Pointer<T>(cos),
            Sin = Memory.Pointer<T>(sin),
            DCos = Memory.Pointer<T>(dCos),
            DSin = Memory.Pointer<T>(dSin),
            Batch = x.size(0),
            Group = x.size(1) / Math.Max(1, cos.size(0)),
            Time = x.size(2),
            Half = x.size(3) / 2,
        };

        // Each angle is one part's alone, whatever the number of threads.
        Threads.For(cos.size(0) * job.Time, Grain, (begin, end) =>
        {
            for (long i = begin; i < end; i++)
            {
                TurnBack(job, i);
            }
        });
        return [dx, dCos, dSin];
    }

    private static Tensor WholeRows(Tensor x) => x.stride(3) == 1 ? x.alias() : x.contiguous();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn<T>(T* from, long pitch, T* to, T* cos, T* sin, long time, long half)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (long t = 0; t < time; t++)
        {
            T* a = from + (t * pitch), b = a + half, c = cos + (t * half), s = sin + (t * half), x = to + (t * 2 * half), y = x + half;
            long p = 0;
            for (; p + Vector256<T>.Count <= half; p += Vector256<T>.Count)
            {
                Vector256<T> av = Vector256.Load(a + p), bv = Vector256.Load(b + p), cv = Vector256.Load(c + p), sv = Vector256.Load(s + p);
                ((av * cv) - (bv * sv)).Store(x + p);
                ((av * sv) + (bv * cv)).Store(y + p);
            }

            for (; p < half; p++)
            {
                x[p] = (a[p] * c[p]) - (b[p] * s[p]);
                y[p] = (a[p] * s[p]) + (b[p] * c[p]);
            }
        }
    }

    // All that one position of one set of angles turned: each row of the batch, each head of the set.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TurnBack<T>(in BackJob<T> job, long angle)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long half = job.Half, set = angle / job.Time, t = angle % job.Time;
        T* c = job.Cos + (angle * half), s = job.Sin + (angle * half), dc = job.DCos + (angle * half), ds = job.DSin + (angle * half);
        new Span<T>(dc, (int)half).Clear();
        new Span<T>(ds, (int)half).Clear();
        for (long b = 0; b < job.Batch; b++)
        {
            for (long h = set * job.Group; h < (set + 1) * job.Group; h++)
            {
                T* x = job.X.Row(b, h, t), z = x + half, ga = job.DY.Row(b, h, t), gb = ga + half, dx = job.DX.Row(b, h, t), dz = dx + half;
                long p = 0;
                for (; p + Vector256<T>.Count <= half; p += Vector256<T>.Count)
                {
                    Vector256<T> gav = Vector256.Load(ga + p), gbv = Vector256.Load(gb + p), cv = Vector256.Load(c + p), sv = Vector256.Load(s + p);
                    ((gav * cv) + (gbv * sv)).Store(dx + p);
                    ((gbv * cv) - (gav * sv)).Store(dz + p);
                    Vector256<T> xv = Vector256.Load(x + p), zv = Vector256.Load(z + p);
                    (Vector256.Load(dc + p) + ((gav * xv) + (gbv * zv))).Store(dc + p);
                    (Vector256.Load(ds + p) + ((gbv * xv) - (gav * zv))).Store(ds + p);
                }

                for (; p < half; p++)
                {
                    dx[p] = (ga[p] * c[p]) + (gb[p] * s[p]);
                    dz[p] = (gb[p] * c[p]) - (ga[p] * s[p]);
                    dc[p] += (ga[p] * x[p]) + (gb[p] * z[p]);
                    ds[p] += (gb[p] * x[p]) - (ga[p] * z[p]);
                }
            }
        }
    }

    /// <summary>Rows of a tensor [B,H,T,N] by its strides.</summary>
    private readonly struct View<T>(Tensor x)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly T* _data = Memory.Pointer<T>(x);
        private readonly long _batch = x.stride(0);
        private readonly long _head = x.stride(1);

        /// <summary>From a position to the next.</summary>
        internal readonly long Time = x.stride(2);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal T* Row(long batch, long head, long t) => _data + (batch * _batch) + (head * _head) + (t * Time);
    }

    private struct BackJob<T>
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        internal View<T> X, DY, DX;
        internal T* Cos, Sin, DCos, DSin;
        internal long Batch, Group, Time, Half;
    }
}
