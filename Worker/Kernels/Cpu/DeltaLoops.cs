using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// The loops of the delta-rule scan over one job. Columns of a state never mix, so that a strip of columns goes through all of time in
/// the first cache level, its sums in registers; only what adds up over columns (gradients of r, k, β, w, α) is added strip by strip.
/// </summary>
internal static unsafe class DeltaLoops<T, TRow>
    where T : unmanaged, IFloatingPointIeee754<T>
    where TRow : unmanaged, IRow<TRow, T>
{
    private const int Sums = 4;

    // States a power of two apart would fall on the same lines of the cache.
    private static int Gap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 64 / sizeof(T);
    }

    private static int Strip
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRow.Vectors * Lanes<T>.Count;
    }

    /// <summary>Numbers of scratch memory that the loops need.</summary>
    internal static long ScratchOf(int width) =>
        ((DeltaJob<T>.Every + 2) * ((width * Strip) + Gap)) + ((DeltaJob<T>.Every + 2) * Strip) + (Sums * Sums * Lanes<T>.Count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Forward(in DeltaJob<T> job, long index, T* scratch)
    {
        int n = job.Width;
        long size = (long)n * n, stride = job.Heads * n, first = job.First(index);
        T* state = scratch, pulled = state + (n * Strip);
        for (int column = 0; column < n; column += Strip)
        {
            TakeIn(job.Start + (index * size) + column, state, n);
            Pull(state, job.Alpha + first, n, pulled);
            for (long t = 0; t < job.Time; t++)
            {
                if (job.Kept != null && t % DeltaJob<T>.Every == 0)
                {
                    GiveOut(state, job.Kept + (((index * job.Blocks) + (t / DeltaJob<T>.Every)) * size) + column, n);
                }

                long at = first + (t * stride), next = t + 1 < job.Time ? at + stride : at;
                Advance(job, state, at, next, column, pulled);
            }

            GiveOut(state, job.End + (index * size) + column, n);
        }
    }

    /// <summary>Blocks of steps from the last to the first, each from its kept state: its states are made again, then gone through in reverse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Backward(in DeltaJob<T> job, long index, T* scratch)
    {
        int n = job.Width;
        long size = (long)n * n, stride = job.Heads * n, first = job.First(index), pitch = (n * Strip) + Gap;
        T* d = scratch, states = d + pitch, pulled = states + ((DeltaJob<T>.Every + 1) * pitch);
        T* none = pulled + ((DeltaJob<T>.Every + 1) * Strip), sums = none + Strip;
        new Span<T>(none, Strip).Clear();
        for (int column = 0; column < n; column += Strip)
        {
            if (job.DEnd != null)
            {
                TakeIn(job.DEnd + (index * size) + column, d, n);
            }
            else
            {
                new Span<T>(d, n * Strip).Clear();
            }

            for (long block = job.Blocks - 1; block >= 0; block--)
            {
                long begin = block * DeltaJob<T>.Every, end = Math.Min(begin + DeltaJob<T>.Every, job.Time);
                TakeIn(job.Kept + (((index * job.Blocks) + block) * size) + column, states, n);
                Pull(states, job.Alpha + first + (begin * stride), n, pulled);
                for (long t = begin; t + 1 < end; t++)
                {
                    Retrace(job, states + ((t - begin) * pitch), pitch, first + (t * stride), stride, column, pulled + ((t - begin) * Strip));
                }

                Retrace(job, states + ((end - 1 - begin) * pitch), pitch, first + ((end - 1) * stride), 0, column, pulled + ((end - 1 - begin) * Strip));
                for (long t = end - 1; t >= begin; t--)
                {
                    long at = first + (t * stride);
                    T* before = states + ((t - begin) * pitch), dy = job.DY == null ? none : job.DY + at + column;
                    var du = StepBack(job, before, before + pitch, d, dy, at, column, pulled + ((t - begin) * Strip), sums);
                    PullBack(job, before, d, du, at, column != 0, sums);
                }
            }

            GiveOut(d, job.DStart + (index * size) + column, n);
        }
    }

    // u = Sᵀα, two rows in turn: one sum alone would wait for each addition.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pull(T* state, T* alpha, int n, T* pulled)
    {
        TRow even = default, odd = default;
        for (int i = 0; i < n; i += 2)
        {
            even = even.Plus(TRow.Load(state + (i * Strip)), Vector256.Create(alpha[i]));
            odd = odd.Plus(TRow.Load(state + ((i + 1) * Strip)), Vector256.Create(alpha[i + 1]));
        }

        even.Plus(odd).Store(pulled);
    }

    // S ← diag(w)S + βuᵀ + kvᵀ and y = Sᵀr; while a row is at hand, it is also pulled by the next step's α.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Advance(in DeltaJob<T> job, T* state, long at, long next, int column, T* pulled)
    {
        T* w = job.W + at, beta = job.Beta + at, k = job.K + at, r = job.R + at, alpha = job.Alpha + next;
        TRow u = TRow.Load(pulled), v = TRow.Load(job.V + at + column), y = default, pull = default;
        for (long i = 0; i < job.Width; i++)
        {
            var s = TRow.Load(state).Scaled(Vector256.Create(w[i])).Plus(u, Vector256.Create(beta[i])).Plus(v, Vector256.Create(k[i]));
            s.Store(state);
            y = y.Plus(s, Vector256.Create(r[i]));
            pull = pull.Plus(s, Vector256.Create(alpha[i]));
            state += Strip;
        }

        y.Store(job.Y + at + column);
        pull.Store(pulled);
    }

    // As Advance, into the state after; pulled gains the next step's row behind its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Retrace(in DeltaJob<T> job, T* state, long pitch, long at, long stride, int column, T* pulled)
    {
        T* w = job.W + at, beta = job.Beta + at, k = job.K + at, alpha = job.Alpha + at + stride;
        TRow u = TRow.Load(pulled), v = TRow.Load(job.V + at + column), pull = default;
        for (long i = 0; i < job.Width; i++)
        {
            var s = TRow.Load(state).Scaled(Vector256.Create(w[i])).Plus(u, Vector256.Create(beta[i])).Plus(v, Vector256.Create(k[i]));
            s.Store(state + pitch);
            pull = pull.Plus(s, Vector256.Create(alpha[i]));
            state += Strip;
        }

        pull.Store(pulled + Strip);
    }

    // All of a step back that does not need the whole of du, which it gives: G = d + r·dyᵀ, and what G and the states say of r, k, β, w, v.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TRow StepBack(in DeltaJob<T> job, T* before, T* after, T* d, T* dy, long at, int column, T* pulled, T* sums)
    {
        T* r = job.R + at, k = job.K + at, beta = job.Beta + at, w = job.W + at;
        bool add = column != 0;
        int lanes = Lanes<T>.Count;
        TRow given = TRow.Load(dy), v = TRow.Load(job.V + at + column), u = TRow.Load(pulled), du = default, dv = default;
        for (int i = 0; i < job.Width; i += Sums)
        {
            for (int j = 0; j < Sums; j++)
            {
                int row = (i + j) * Strip;
                var g = TRow.Load(d + row).Plus(given, Vector256.Create(r[i + j]));
                g.Store(d + row);
                given.Products(TRow.Load(after + row)).Store(sums + (j * lanes));
                g.Products(v).Store(sums + ((Sums + j) * lanes));
                g.Products(u).Store(sums + (((2 * Sums) + j) * lanes));
                (g.Products(TRow.Load(before + row)) * Vector256.Create(w[i + j])).Store(sums + (((3 * Sums) + j) * lanes));
                du = du.Plus(g, Vector256.Create(beta[i + j]));
                dv = dv.Plus(g, Vector256.Create(k[i + j]));
            }

            Lanes<T>.SumFour(sums, job.DR + at + i, add);
            Lanes<T>.SumFour(sums + (Sums * lanes), job.DK + at + i, add);
            Lanes<T>.SumFour(sums + (2 * Sums * lanes), job.DBeta + at + i, add);
            Lanes<T>.SumFour(sums + (3 * Sums * lanes), job.DLogW + at + i, add);
        }

        dv.Store(job.DV + at + column);
        return du;
    }

    // The rest: dα = S du, d = diag(w)G + α duᵀ.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PullBack(in DeltaJob<T> job, T* before, T* d, TRow du, long at, bool add, T* sums)
    {
        T* w = job.W + at, alpha = job.Alpha + at;
        for (int i = 0; i < job.Width; i += Sums)
        {
            for (int j = 0; j < Sums; j++)
            {
                int row = (i + j) * Strip;
                du.Products(TRow.Load(before + row)).Store(sums + (j * Lanes<T>.Count));
                TRow.Load(d + row).Scaled(Vector256.Create(w[i + j])).Plus(du, Vector256.Create(alpha[i + j])).Store(d + row);
            }

            Lanes<T>.SumFour(sums, job.DAlpha + at + i, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeIn(T* state, T* strip, int n)
    {
        for (int i = 0; i < n; i++)
        {
            TRow.Load(state + ((long)i * n)).Store(strip + (i * Strip));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GiveOut(T* strip, T* state, int n)
    {
        for (int i = 0; i < n; i++)
        {
            TRow.Load(strip + (i * Strip)).Store(state + ((long)i * n));
        }
    }
}
