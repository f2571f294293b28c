using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Hearth.Kernels.Cpu;

/// <summary>
/// The loops of the SSD scan over one job. A state lies as [N,P], so that rows of x are added whole; a strip of its columns goes through
/// all of time in the first cache level, and gradients of B and C add up strip by strip.
/// </summary>
internal static unsafe class SsdLoops<T, TRow>
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
    internal static long ScratchOf(int states) =>
        ((SsdJob<T>.Every + 2) * (((long)states * Strip) + Gap)) + Strip + (((2 * Sums) + 1) * Lanes<T>.Count);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Forward(in SsdJob<T> job, long index, T* scratch)
    {
        long batch = index / job.Heads, head = index % job.Heads, size = (long)job.States * job.Width;
        for (int column = 0; column < job.Width; column += Strip)
        {
            TakeTurned(job.Start + (index * size) + ((long)column * job.States), scratch, job.States);
            for (long t = 0; t < job.Time; t++)
            {
                if (job.Kept != null && t % SsdJob<T>.Every == 0)
                {
                    GiveOut(scratch, job.Kept + (((index * job.Blocks) + (t / SsdJob<T>.Every)) * size) + column, job);
                }

                long step = (batch * job.Time) + t, row = (step * job.Heads) + head;
                Advance(job, scratch, row, step, column);
            }

            GiveTurned(scratch, job.End + (index * size) + ((long)column * job.States), job.States);
        }
    }

    /// <summary>Blocks of steps from the last to the first, each from its kept state: its states are made again, then gone through in reverse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Backward(in SsdJob<T> job, long index, T* scratch)
    {
        long batch = index / job.Heads, head = index % job.Heads, size = (long)job.States * job.Width, pitch = ((long)job.States * Strip) + Gap;
        T* d = scratch, states = d + pitch, none = states + ((SsdJob<T>.Every + 1) * pitch), sums = none + Strip;
        new Span<T>(none, Strip + (((2 * Sums) + 1) * Lanes<T>.Count)).Clear();
        for (int column = 0; column < job.Width; column += Strip)
        {
            if (job.DEnd != null)
            {
                TakeTurned(job.DEnd + (index * size) + ((long)column * job.States), d, job.States);
            }
            else
            {
                new Span<T>(d, job.States * Strip).Clear();
            }

            for (long block = job.Blocks - 1; block >= 0; block--)
            {
                long begin = block * SsdJob<T>.Every, end = Math.Min(begin + SsdJob<T>.Every, job.Time);
                TakeIn(job.Kept + (((index * job.Blocks) + block) * size) + column, states, job);
                for (long t = begin; t < end; t++)
                {
                    long step = (batch * job.Time) + t;
                    Retrace(job, states + ((t - begin) * pitch), pitch, (step * job.Heads) + head, step, column);
                }

                for (long t = end - 1; t >= begin; t--)
                {
                    long step = (batch * job.Time) + t, row = (step * job.Heads) + head;
                    T* before = states + ((t - begin) * pitch), dy = job.DY == null ? none : job.DY + (row * job.Width) + column;
                    StepBack(job, before, before + pitch, d, dy, row, step, column, sums);
                }
            }

            GiveTurned(d, job.DStart + (index * size) + ((long)column * job.States), job.States);
        }
    }

    // h ← a h + B xᵀ and y = hᵀC.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Advance(in SsdJob<T> job, T* state, long row, long step, int column)
    {
        T* b = job.B + (step * job.States), c = job.C + (step * job.States);
        TRow x = TRow.Load(job.X + (row * job.Width) + column), y = default;
        var a = Vector256.Create(job.A[row]);
        for (long n = 0; n < job.States; n++)
        {
            var h = TRow.Load(state).Scaled(a).Plus(x, Vector256.Create(b[n]));
            h.Store(state);
            y = y.Plus(h, Vector256.Create(c[n]));
            state += Strip;
        }

        y.Store(job.Y + (row * job.Width) + column);
    }

    // As Advance, into the state after.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Retrace(in SsdJob<T> job, T* state, long pitch, long row, long step, int column)
    {
        T* b = job.B + (step * job.States);
        var x = TRow.Load(job.X + (row * job.Width) + column);
        var a = Vector256.Create(job.A[row]);
        for (long n = 0; n < job.States; n++)
        {
            TRow.Load(state).Scaled(a).Plus(x, Vector256.Create(b[n])).Store(state + pitch);
            state += Strip;
        }
    }

    // G = d + C dyᵀ; what G and the states say of B, C, x and a; d = a G.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void StepBack(in SsdJob<T> job, T* before, T* after, T* d, T* dy, long row, long step, int column, T* sums)
    {
        T* b = job.B + (step * job.States), c = job.C + (step * job.States), db = job.DB + (row * job.States), dc = job.DC + (row * job.States);
        bool add = column != 0;
        int lanes = Lanes<T>.Count;
        TRow given = TRow.Load(dy), x = TRow.Load(job.X + (row * job.Width) + column), dx = default, da = default;
        var a = Vector256.Create(job.A[row]);
        int whole = job.States - (job.States % Sums);
        for (int n = 0; n < job.States; n++)
        {
            int at = n * Strip, slot = n % Sums;
            var g = TRow.Load(d + at).Plus(given, Vector256.Create(c[n]));
            given.Products(TRow.Load(after + at)).Store(sums + (slot * lanes));
            g.Products(x).Store(sums + ((Sums + slot) * lanes));
            da = da.PlusProduct(g, TRow.Load(before + at));
            dx = dx.Plus(g, Vector256.Create(b[n]));
            g.Scaled(a).Store(d + at);
            if (slot == Sums - 1)
            {
                Lanes<T>.SumFour(sums, dc + n - slot, add);
                Lanes<T>.SumFour(sums + (Sums * lanes), db + n - slot, add);
            }
        }

        if (whole < job.States)
        {
            PutRest(sums, dc + whole, job.States - whole, add);
            PutRest(sums + (Sums * lanes), db + whole, job.States - whole, add);
        }

        dx.Store(job.DX + (row * job.Width) + column);
        T decay = Lanes<T>.Sum(da.Folded()) * job.A[row];
        job.DLogA[row] = add ? job.DLogA[row] + decay : decay;
    }

    // Sums of fewer than four rows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PutRest(T* sums, T* to, int rows, bool add)
    {
        for (int j = 0; j < rows; j++)
        {
            T sum = Lanes<T>.Sum(Vector256.Load(sums + (j * Lanes<T>.Count)));
            to[j] = add ? to[j] + sum : sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeIn(T* state_NP, T* strip, in SsdJob<T> job)
    {
        for (long n = 0; n < job.States; n++)
        {
            TRow.Load(state_NP + (n * job.Width)).Store(strip + (n * Strip));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GiveOut(T* strip, T* state_NP, in SsdJob<T> job)
    {
        for (long n = 0; n < job.States; n++)
        {
            TRow.Load(strip + (n * Strip)).Store(state_NP + (n * job.Width));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeTurned(T* state_PN, T* strip, int states)
    {
        for (long p = 0; p < Strip; p++)
        {
            for (long n = 0; n < states; n++)
            {
                strip[(n * Strip) + p] = state_PN[(p * states) + n];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GiveTurned(T* strip, T* state_PN, int states)
    {
        for (long p = 0; p < Strip; p++)
        {
            for (long n = 0; n < states; n++)
            {
                state_PN[(p * states) + n] = strip[(n * Strip) + p];
            }
        }
    }
}
