using System.Numerics;
using static TorchSharp.torch;

// B batch, K key/value heads, T new rows, S rows so far, N head width.
namespace Hearth.Models.Blocks;

/// <summary>Keys and values so far, in buffers that double when full: n rows cost O(n) copies, not O(n²).</summary>
public sealed class KvCache : MixerState
{
    private const long LeastRows = 32;
    private Tensor? _k_BKSN;
    private Tensor? _v_BKSN;

    public long Length { get; private set; }

    /// <summary>All rows so far, [B,K,S,N]; called once there are any.</summary>
    internal (Tensor K_BKSN, Tensor V_BKSN) Rows => (_k_BKSN!.narrow(2, 0, Length), _v_BKSN!.narrow(2, 0, Length));

    /// <summary>Adds rows [B,K,T,N]; all rows so far, as views that the next call may overwrite past their end.</summary>
    public (Tensor K_BKSN, Tensor V_BKSN) Append(Tensor k_BKTN, Tensor v_BKTN)
    {
        long time = k_BKTN.size(2), length = Length + time;
        if (_k_BKSN is null || _v_BKSN is null || length > _k_BKSN.size(2))
        {
            long rows = Math.Max(LeastRows, (long)BitOperations.RoundUpToPowerOf2((ulong)length));
            (_k_BKSN, _v_BKSN) = (Grow(_k_BKSN, k_BKTN, rows), Grow(_v_BKSN, v_BKTN, rows));
        }

        _k_BKSN.narrow(2, Length, time).copy_(k_BKTN);
        _v_BKSN.narrow(2, Length, time).copy_(v_BKTN);
        Length = length;
        return Rows;
    }

    /// <summary>Forgets every row from <paramref name="length"/> on.</summary>
    public void Truncate(long length)
    {
        if (length < 0 || length > Length)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, $"length is {length}. Allowed: 0 to {Length}.");
        }

        Length = length;
    }

    public override void Dispose()
    {
        _k_BKSN?.Dispose();
        _v_BKSN?.Dispose();
    }

    private Tensor Grow(Tensor? old, Tensor like, long rows)
    {
        long[] shape = like.shape;
        shape[2] = rows;
        var grown = empty(shape, like.dtype, like.device).DetachFromDisposeScope();
        if (old is not null)
        {
            grown.narrow(2, 0, Length).copy_(old.narrow(2, 0, Length));
            old.Dispose();
        }

        return grown;
    }
}
