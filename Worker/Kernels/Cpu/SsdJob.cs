using System.Numerics;

namespace Hearth.Kernels.Cpu;

/// <summary>Where an SSD scan's tensors lie. A head of a row is one job.</summary>
internal unsafe struct SsdJob<T> : IScanJob<T>
    where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>Steps between the states that the forward pass keeps for the backward one.</summary>
    internal const long Every = 16;

    internal long Time, Heads;

    /// <summary>P and N.</summary>
    internal int Width, States;

    /// <summary>[B,T,H,P].</summary>
    internal T* X;

    /// <summary>[B,T,H]; the decay itself, not its log.</summary>
    internal T* A;

    /// <summary>[B,T,N].</summary>
    internal T* B, C;

    /// <summary>[B,H,P,N].</summary>
    internal T* Start, End;

    /// <summary>[B,T,H,P].</summary>
    internal T* Y;

    /// <summary>[B,H,⌈T/Every⌉,N,P]: transposed, as the loops hold it; null keeps nothing.</summary>
    internal T* Kept;

    /// <summary>Gradients that came; null where none did.</summary>
    internal T* DY, DEnd;

    /// <summary>DB and DC are [B,T,H,N]: each head's part.</summary>
    internal T* DX, DLogA, DB, DC, DStart;

    public static int ForwardVectors => 4;

    public readonly int Vectors => Width / Lanes<T>.Count;

    internal readonly long Blocks => (Time + Every - 1) / Every;

    public readonly long ScratchOf<TRow>()
        where TRow : unmanaged, IRow<TRow, T> => SsdLoops<T, TRow>.ScratchOf(States);

    public readonly void Forward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T> => SsdLoops<T, TRow>.Forward(this, index, scratch);

    public readonly void Backward<TRow>(long index, T* scratch)
        where TRow : unmanaged, IRow<TRow, T> => SsdLoops<T, TRow>.Backward(this, index, scratch);
}
