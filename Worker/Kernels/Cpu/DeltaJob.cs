using System.Numerics;

namespace Hearth.Kernels.Cpu;

/// <summary>Where a delta-rule scan's tensors lie. A head of a row is one job; its steps are Heads·N numbers apart.</summary>
internal unsafe struct DeltaJob<T> : IScanJob<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Steps between the states that the forward pass keeps for the backward one.</summary>
    internal const long Every = 16;

    internal long Time, Heads;
    internal int Width;

    /// <summary>[B,T,H,N]; W is the decay itself, not its log.</summary>
    internal T* R, K, V, Alpha, Beta, W;

    /// <summary>[B,H,N,N], rows = key index.</summary>
    internal T* Start, End;

    /// <summary>[B,T,H,N].</summary>
    internal T* Y;

    /// <summary>[B,H,⌈T/Every⌉,N,N]; null keeps nothing.</summary>
    internal T* Kept;

    /// <summary>Gradients that came; null where none did.</summary>
    internal T* DY, DEnd;

    internal T* DR, DK, DV, DAlpha, DBeta, DLogW, DStart;

    public static int ForwardVectors => 2;

    public readonly int Vectors => Width / Lanes<T>.Count;

    internal readonly long Blocks => (Time + Every - 1) / Every;

    /// <summary>Where the job's first step begins in [B,T,H,N].</summary>
    internal readonly long First(long job) => ((job / Heads * Time * Heads) + (job % Heads)) * Width;

    public readonly long ScratchOf<TRow>()
        where TRow : unmanaged, IRow<TRow, T> => DeltaLoops<T, TRow>.ScratchOf(Width);

    public readonly void Forward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T> => DeltaLoops<T, TRow>.Forward(this, index, scratch);

    public readonly void Backward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T> => DeltaLoops<T, TRow>.Backward(this, index, scratch);
}
