using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using static TorchSharp.torch;

// B batch, T time, R = T+J−1 rows, C channels, J taps.
namespace Hearth.Kernels.Cpu;

/// <summary>
/// Depthwise convolution over rows that stand behind J−1 others, y_t = Σ_j w_j ⊙ x_{t+J−1−j}, forward and backward in one pass each. Products
/// and sums are rounded one by one, as the plain operators do.
/// </summary>
internal static unsafe class CausalConv
{
    // Output rows of a thread's part at least.
    private const long Grain = 64;

    internal static Tensor Apply(Tensor padded_BRC, Tensor taps_CJ)
    {
        Check(padded_BRC, taps_CJ);
        return AutogradNode.Apply(
            [padded_BRC, taps_CJ],
            () => new ForwardPass([padded_BRC.dtype == ScalarType.Float32 ? Forward<float>(padded_BRC, taps_CJ) : Forward<double>(padded_BRC, taps_CJ)], [padded_BRC, taps_CJ]),
            (saved, grads) => saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved, grads[0]!) : Backward<double>(saved, grads[0]!))[0];
    }

    private static void Check(Tensor padded_BRC, Tensor taps_CJ)
    {
        const string kernel = "causal convolution";
        Arguments.Dimensions(kernel, "x", padded_BRC, 3);
        Arguments.Dimensions(kernel, "taps", taps_CJ, 2);
        Arguments.Like(kernel, "taps", taps_CJ, [padded_BRC.size(2), taps_CJ.size(1)], padded_BRC.dtype);
        if (taps_CJ.size(1) < 1 || padded_BRC.size(1) < taps_CJ.size(1))
        {
            throw new KernelException($"{kernel}: x has {padded_BRC.size(1)} rows for {taps_CJ.size(1)} taps. Allowed: at least one tap, and as many rows as taps.");
        }
    }

    private static Tensor Forward<T>(Tensor padded_BRC, Tensor taps_CJ)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var x = padded_BRC.contiguous();
        using var taps = Turned(taps_CJ);
        long batch = x.size(0), rows = x.size(1), channels = x.size(2), count = taps.size(0), time = rows - count + 1;
        var y = empty([batch, time, channels], x.dtype);
        T* xs = Memory.Pointer<T>(x), w = Memory.Pointer<T>(taps), ys = Memory.Pointer<T>(y);
        Threads.For(batch * time, Grain, (begin, end) =>
        {
            for (long i = begin; i < end; i++)
            {
                T* newest = xs + (((i / time * rows) + (i % time) + count - 1) * channels);
                Weigh(newest, -channels, w, channels, count, ys + (i * channels), channels);
            }
        });
        return y;
    }

    private static Tensor?[] Backward<T>(Tensor[] saved, Tensor dy_BTC)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var dy = dy_BTC.contiguous();
        using var x = saved[0].contiguous();
        using var taps = Turned(saved[1]);
        long batch = x.size(0), rows = x.size(1), channels = x.size(2), count = taps.size(0), time = rows - count + 1;
        var dx = empty(x.shape, x.dtype);

        // A part per row of the batch: the order of the sum does not depend on the number of threads.
        using var parts_BJC = empty([batch, count, channels], x.dtype);
        T* g = Memory.Pointer<T>(dy), xs = Memory.Pointer<T>(x), w = Memory.Pointer<T>(taps), dxs = Memory.Pointer<T>(dx), parts = Memory.Pointer<T>(parts_BJC);
        Threads.For(batch, 1, (begin, end) =>
        {
            for (long b = begin; b < end; b++)
            {
                T* grads = g + (b * time * channels);
                for (long r = 0; r < rows; r++)
                {
                    // Row r was weighed by tap j in output r − (J−1) + j.
                    long first = Math.Max(0, count - 1 - r), last = Math.Min(count - 1, rows - 1 - r);
                    Weigh(grads + ((r - count + 1 + first) * channels), channels, w + (first * channels), channels, last - first + 1, dxs + (((b * rows) + r) * channels), channels);
                }

                AddTaps(grads, xs + (b * rows * channels), parts + (b * count * channels), time, channels, count);
            }
        });
        using var sum_JC = parts_BJC.sum([0L]);
        return [dx, Turned(sum_JC)];
    }

    private static Tensor Turned(Tensor matrix)
    {
        using var view = matrix.t();
        return view.contiguous();
    }

    // to = Σ_j taps_j ⊙ rows_j, j in order.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh<T>(T* rows, long pitch, T* taps, long tapPitch, long count, T* to, long channels)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long c = 0;
        for (; c + Vector256<T>.Count <= channels; c += Vector256<T>.Count)
        {
            var sum = Vector256.Load(rows + c) * Vector256.Load(taps + c);
            for (long j = 1; j < count; j++)
            {
                sum += Vector256.Load(rows + (j * pitch) + c) * Vector256.Load(taps + (j * tapPitch) + c);
            }

            sum.Store(to + c);
        }

        for (; c < channels; c++)
        {
            T sum = rows[c] * taps[c];
            for (long j = 1; j < count; j++)
            {
                sum += rows[(j * pitch) + c] * taps[(j * tapPitch) + c];
            }

            to[c] = sum;
        }
    }

    // part_j = Σ_t x_{t+J−1−j} ⊙ dy_t over some rows at a time, so that those stay in the cache while each tap's sum is in a register.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddTaps<T>(T* grads, T* x, T* part, long time, long channels, long count)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        const long rowsAtOnce = 8;
        new Span<T>(part, checked((int)(count * channels))).Clear();
        for (long first = 0; first < time; first += rowsAtOnce)
        {
            long last = Math.Min(time, first + rowsAtOnce);
            for (long j = 0; j < count; j++)
            {
                T* sums = part + (j * channels), rows = x + ((count - 1 - j) * channels);
                long c = 0;
                for (; c + Vector256<T>.Count <= channels; c += Vector256<T>.Count)
                {
                    var sum = Vector256.Load(sums + c);
                    for (long t = first; t < last; t++)
                    {
                        sum += Vector256.Load(rows + (t * channels) + c) * Vector256.Load(grads + (t * channels) + c);
                    }

                    sum.Store(sums + c);
                }

                for (; c < channels; c++)
                {
                    for (long t = first; t < last; t++)
                    {
                        sums[c] += rows[(t * channels) + c] * grads[(t * channels) + c];
                    }
                }
            }
        }
    }
}
