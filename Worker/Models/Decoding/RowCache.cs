using System.Numerics;
using static TorchSharp.torch;

// B batch, H heads, S rows so far, T new rows, N width.
namespace Hearth.Models.Decoding;

/// <summary>Rows so far, in a buffer that doubles when full: n rows cost O(n) copies, not O(n²).</summary>
internal sealed class RowCache : IDisposable
{
    private const long LeastRows = 32;
    private Tensor? _rows_BHSN;

    internal long Length { get; private set; }

    /// <summary>All rows so far [B,H,S,N], as a view that the next call may overwrite past its end; called once there are any.</summary>
    internal Tensor Rows => _rows_BHSN!.narrow(2, 0, Length);

    /// <summary>Puts rows [B,H,T,N] behind those that are there, and gives all of them.</summary>
    internal Tensor Append(Tensor rows_BHTN)
    {
        long time = rows_BHTN.size(2), length = Length + time;
        if (_rows_BHSN is null || length > _rows_BHSN.size(2))
        {
            Grow(rows_BHTN, Math.Max(LeastRows, (long)BitOperations.RoundUpToPowerOf2((ulong)length)));
        }

        _rows_BHSN!.narrow(2, Length, time).copy_(rows_BHTN);
        Length = length;
        return Rows;
    }

    /// <summary>Forgets every row from <paramref name="length"/> on.</summary>
    internal void Truncate(long length)
    {
        if (length < 0 || length > Length)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, $"length is {length}. Allowed: 0 to {Length}.");
        }

        Length = length;
    }

    public void Dispose() => _rows_BHSN?.Dispose();

    private void Grow(Tensor like, long rows)
    {
        long[] shape = like.shape;
        shape[2] = rows;
        var grown = empty(shape, like.dtype, like.device).DetachFromDisposeScope();
        if (_rows_BHSN is { } old)
        {
            grown.narrow(2, 0, Length).copy_(old.narrow(2, 0, Length));
            old.Dispose();
        }

        _rows_BHSN = grown;
    }
}

/// <summary>One tensor kept from one decoding step to the next, beyond the scope that it was made in.</summary>
internal sealed class Kept : IDisposable
{
    internal Tensor? Value { get; private set; }

    /// <summary>Keeps a copy of its own, and frees what was there.</summary>
    internal void Set(Tensor value)
    {
        var kept = value.clone().DetachFromDisposeScope();
        Value?.Dispose();
        Value = kept;
    }

    internal void Clear()
    {
        Value?.Dispose();
        Value = null;
    }

    public void Dispose() => Clear();
}
