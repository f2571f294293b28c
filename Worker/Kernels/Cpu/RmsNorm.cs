using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hearth.Kernels.Autograd;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using static TorchSharp.torch;

// R rows, D width, G groups of rows.
namespace Hearth.Kernels.Cpu;

/// <summary>
/// y = x (mean(x²) + ε)^−½ w over the last dimension (Zhang &amp; Sennrich, arXiv 1910.07467), forward and backward in one pass each. Sums
/// and products in fp64, rounded once: a stack of norms multiplies whatever each of them rounds away (docs/families/vuaf.md).
/// </summary>
internal static unsafe class RmsNorm
{
    // The weight's gradient adds up within groups of so many rows, then over groups: the same order whatever the number of threads.
    private const long Group = 64;
    private const int Step = 4;

    internal static Tensor Apply(Tensor x_BTD, Tensor weight_D, double eps)
    {
        Arguments.Like("RMS norm", "weight", weight_D, x_BTD.shape.AsSpan(Math.Max(0, (int)x_BTD.dim() - 1)), x_BTD.dtype);
        Tensor? inverse_R = null;
        try
        {
            return AutogradNode.Apply(
                [x_BTD, weight_D],
                () =>
                {
                    (var y, inverse_R) = x_BTD.dtype == ScalarType.Float32 ? Forward<float>(x_BTD, weight_D, eps) : Forward<double>(x_BTD, weight_D, eps);
                    return new ForwardPass([y], [x_BTD, weight_D, inverse_R]);
                },
                (saved, grads) => saved[0].dtype == ScalarType.Float32 ? Backward<float>(saved, grads[0]!) : Backward<double>(saved, grads[0]!))[0];
        }
        finally
        {
            inverse_R?.Dispose();
        }
    }

    private static (Tensor Y, Tensor Inverse) Forward<T>(Tensor x_BTD, Tensor weight_D, double eps)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var x = x_BTD.contiguous();
        using var weight = weight_D.contiguous();
        int d = (int)weight.size(0);
        long rows = x.numel() / Math.Max(1, d);
        Tensor y = empty(x.shape, x.dtype), inverse = empty([rows], x.dtype);
        T* xs = Memory.Pointer<T>(x), w = Memory.Pointer<T>(weight), ys = Memory.Pointer<T>(y), inverses = Memory.Pointer<T>(inverse);
        Threads.For(rows, Group, (begin, end) => NormRows(xs, w, ys, inverses, (begin, end), d, eps));
        return (y, inverse);
    }

    private static Tensor?[] Backward<T>(Tensor[] saved, Tensor dy_BTD)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using var dy = dy_BTD.contiguous();
        using var x = saved[0].contiguous();
        using var weight = saved[1].contiguous();
        int d = (int)weight.size(0);
        long rows = saved[2].numel(), groups = (rows + Group - 1) / Group;
        Tensor dx = empty(x.shape, x.dtype), dWeight = empty([d], x.dtype);
        using var parts_GD = empty([groups, d], ScalarType.Float64);
        T* g = Memory.Pointer<T>(dy), xs = Memory.Pointer<T>(x), w = Memory.Pointer<T>(weight), inverse = Memory.Pointer<T>(saved[2]), dxs = Memory.Pointer<T>(dx);
        double* parts = Memory.Pointer<double>(parts_GD);
        Threads.For(groups, 1, (begin, end) =>
        {
            for (long group = begin; group < end; group++)
            {
                BackRows(g, xs, w, inverse, dxs, parts + (group * d), (group * Group, Math.Min(rows, (group + 1) * Group)), d);
            }
        });
        AddParts(parts, groups, d, Memory.Pointer<T>(dWeight));
        GC.KeepAlive(saved);
        return [dx, dWeight];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormRows<T>(T* x, T* w, T* y, T* inverses, (long Begin, long End) rows, int d, double eps)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int pairs = d - (d % (2 * Step)), whole = d - (d % Step);
        for (long row = rows.Begin; row < rows.End; row++)
        {
            T* from = x + (row * d), to = y + (row * d);
            Vector256<double> even = default, odd = default;
            for (int i = 0; i < pairs; i += 2 * Step)
            {
                Vector256<double> a = Lanes<T>.LoadWide(from + i), b = Lanes<T>.LoadWide(from + i + Step);
                even += a * a;
                odd += b * b;
            }

            double sum = Lanes<double>.Sum(even + odd);
            for (int i = pairs; i < d; i++)
            {
                sum += Wide(from[i]) * Wide(from[i]);
            }

            double inverse = 1 / Math.Sqrt((sum / d) + eps);
            inverses[row] = T.CreateTruncating(inverse);
            var factor = Vector256.Create(inverse);
            for (int i = 0; i < whole; i += Step)
            {
                Lanes<T>.StoreWide(Lanes<T>.LoadWide(from + i) * factor * Lanes<T>.LoadWide(w + i), to + i);
            }

            for (int i = whole; i < d; i++)
            {
                to[i] = T.CreateTruncating(Wide(from[i]) * inverse * Wide(w[i]));
            }
        }
    }

    // dx = g w r − x (Σ g w x) r³/D; the first row writes its share of dw, the others add theirs.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackRows<T>(T* dy, T* x, T* w, T* inverses, T* dx, double* part, (long Begin, long End) rows, int d)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        int whole = d - (d % Step);
        new Span<double>(part, d).Clear();
        for (long row = rows.Begin; row < rows.End; row++)
        {
            T* g = dy + (row * d), from = x + (row * d), to = dx + (row * d);
            double inverse = Wide(inverses[row]);
            var factor = Vector256.Create(inverse);
            Vector256<double> dots = default;
            for (int i = 0; i < whole; i += Step)
            {
                var product = Lanes<T>.LoadWide(g + i) * Lanes<T>.LoadWide(from + i);
                dots += product * Lanes<T>.LoadWide(w + i);
                (Vector256.Load(part + i) + (product * factor)).Store(part + i);
            }

            double dot = Lanes<double>.Sum(dots);
            for (int i = whole; i < d; i++)
            {
                double product = Wide(g[i]) * Wide(from[i]);
                dot += product * Wide(w[i]);
                part[i] += product * inverse;
            }

            double pull = dot * inverse * inverse * inverse / d;
            var pulls = Vector256.Create(pull);
            for (int i = 0; i < whole; i += Step)
            {
                Lanes<T>.StoreWide((Lanes<T>.LoadWide(g + i) * Lanes<T>.LoadWide(w + i) * factor) - (Lanes<T>.LoadWide(from + i) * pulls), to + i);
            }

            for (int i = whole; i < d; i++)
            {
                to[i] = T.CreateTruncating((Wide(g[i]) * Wide(w[i]) * inverse) - (Wide(from[i]) * pull));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddParts<T>(double* parts, long groups, int d, T* to)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < d; i++)
        {
            double sum = 0;
            for (long group = 0; group < groups; group++)
            {
                sum += parts[(group * d) + i];
            }

            to[i] = T.CreateTruncating(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Wide<T>(T value)
        where T : unmanaged, IFloatingPointIeee754<T> => double.CreateTruncating(value);
}
