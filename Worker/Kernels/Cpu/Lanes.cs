using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// What loops over float or double need and .NET offers for one of them at a time; branches on T fold away when compiled. A vector has 32
/// bytes whatever the processor, so that sums are made in the same order everywhere. Loops that call these are compiled once, optimised:
/// a second compilation might contract products and sums otherwise.
/// </summary>
internal static unsafe class Lanes<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Numbers in a vector.</summary>
    internal static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector256<T>.Count;
    }

    /// <summary>a·b + c, rounded once where the processor does so by itself: a fused product by software costs a hundred times as much.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<T> MultiplyAdd(Vector256<T> a, Vector256<T> b, Vector256<T> c) => typeof(T) == typeof(float)
        ? Vector256.MultiplyAddEstimate(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>()
        : Vector256.MultiplyAddEstimate(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>();

    /// <summary>Four neighbours in fp64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<double> LoadWide(T* from) => typeof(T) == typeof(float)
        ? Vector256.WidenLower(Vector128.Load((float*)from).ToVector256Unsafe())
        : Vector256.Load((double*)from);

    /// <summary>Four neighbours, rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreWide(Vector256<double> values, T* to)
    {
        if (typeof(T) == typeof(float))
        {
            Vector256.Narrow(values, values).GetLower().Store((float*)to);
        }
        else
        {
            values.Store((double*)to);
        }
    }

    /// <summary>
    /// The sums over each of four vectors that lie one after another, written to four neighbours or added to them: a sum over lanes costs
    /// a third when four are made at once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SumFour(T* vectors, T* to, bool add)
    {
        Vector256<T> a = Vector256.Load(vectors), b = Vector256.Load(vectors + Count);
        Vector256<T> c = Vector256.Load(vectors + (2 * Count)), d = Vector256.Load(vectors + (3 * Count));
        if (typeof(T) == typeof(float))
        {
            var pairs = PairSums(PairSums(a.AsSingle(), b.AsSingle()), PairSums(c.AsSingle(), d.AsSingle()));
            var sums = pairs.GetLower() + pairs.GetUpper();
            (add ? sums + Vector128.Load((float*)to) : sums).Store((float*)to);
        }
        else
        {
            var (left, right) = (PairSums(a.AsDouble(), b.AsDouble()), PairSums(c.AsDouble(), d.AsDouble()));
            var sums = Vector256.Create(left.GetLower() + left.GetUpper(), right.GetLower() + right.GetUpper());
            (add ? sums + Vector256.Load((double*)to) : sums).Store((double*)to);
        }
    }

    /// <summary>The sum over a vector's lanes, in the order of <see cref="SumFour"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Sum(Vector256<T> v)
    {
        if (typeof(T) == typeof(float))
        {
            var pairs = PairSums(v.AsSingle(), v.AsSingle());
            pairs = PairSums(pairs, pairs);
            return (pairs.GetLower() + pairs.GetUpper()).As<float, T>().ToScalar();
        }

        var halves = PairSums(v.AsDouble(), v.AsDouble());
        return (halves.GetLower() + halves.GetUpper()).As<double, T>().ToScalar();
    }

    // Sums of neighbours, a's before b's in each half.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PairSums(Vector256<float> a, Vector256<float> b) => Avx.IsSupported
        ? Avx.HorizontalAdd(a, b)
        : Vector256.Create(PairSums(a.GetLower(), b.GetLower()), PairSums(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> PairSums(Vector256<double> a, Vector256<double> b) => Avx.IsSupported
        ? Avx.HorizontalAdd(a, b)
        : Vector256.Create(PairSums(a.GetLower(), b.GetLower()), PairSums(a.GetUpper(), b.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PairSums(Vector128<float> a, Vector128<float> b) =>
        AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.AddPairwise(a, b)
        : Sse3.IsSupported ? Sse3.HorizontalAdd(a, b)
        : Vector128.Create(a[0] + a[1], a[2] + a[3], b[0] + b[1], b[2] + b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<double> PairSums(Vector128<double> a, Vector128<double> b) =>
        AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.AddPairwise(a, b)
        : Sse3.IsSupported ? Sse3.HorizontalAdd(a, b)
        : Vector128.Create(a[0] + a[1], b[0] + b[1]);
}
