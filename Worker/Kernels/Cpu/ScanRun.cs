using System.Numerics;
using Hearth.Kernels.Runtime;

namespace Hearth.Kernels.Cpu;

/// <summary>Where a scan's tensors lie, and what is done with them: a head of a row at a time, in strips of so many vectors as <c>TRow</c> has.</summary>
internal unsafe interface IScanJob<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Most vectors of a strip in the forward pass; the backward pass takes up to four.</summary>
    static abstract int ForwardVectors { get; }

    /// <summary>Vectors of a head's width.</summary>
    int Vectors { get; }

    /// <summary>Numbers of scratch memory that either pass needs.</summary>
    long ScratchOf<TRow>()
        where TRow : unmanaged, IRow<TRow, T>;

    void Forward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T>;

    void Backward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T>;
}

/// <summary>Runs a scan's heads side by side, in the widest strips that divide a head.</summary>
internal static unsafe class ScanRun
{
    internal static void Forward<T, TJob>(TJob job, long heads)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TJob : struct, IScanJob<T> => Run<T, TJob>(job, heads, TJob.ForwardVectors, backward: false);

    internal static void Backward<T, TJob>(TJob job, long heads)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TJob : struct, IScanJob<T> => Run<T, TJob>(job, heads, most: 4, backward: true);

    private static void Run<T, TJob>(TJob job, long heads, int most, bool backward)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TJob : struct, IScanJob<T>
    {
        switch (Math.Min(job.Vectors, most))
        {
            case 1:
                Run<T, TJob, Row1<T>>(job, heads, backward);
                break;
            case 2:
                Run<T, TJob, Row2<T>>(job, heads, backward);
                break;
            default:
                Run<T, TJob, Row4<T>>(job, heads, backward);
                break;
        }
    }

    private static void Run<T, TJob, TRow>(TJob job, long heads, bool backward)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TJob : struct, IScanJob<T>
        where TRow : unmanaged, IRow<TRow, T> => Threads.For(heads, 1, (begin, end) =>
        {
            T* scratch = Scratch.Of<T>(job.ScratchOf<TRow>());
            for (long i = begin; i < end; i++)
            {
                if (backward)
                {
                    job.Backward<TRow>(i, scratch);
                }
                else
                {
                    job.Forward<TRow>(i, scratch);
                }
            }
        });
}
