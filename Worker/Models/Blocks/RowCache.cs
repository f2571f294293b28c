using System.Numerics;
using static TorchSharp.torch;

// B batch, H heads, S rows so far, T new rows, N width.
namespace Hearth.Models.Blocks;

/// <summary>Rows so far, in a buffer that doubles when full: n rows cost O(n) copies, not O(n²).</summary>
internal sealed class RowCache : IDisposable
{
    private const long LeastRows = 32;
    private Tensor? _rows_BHSN;
    private long _length;

    /// <summary>Puts rows [B,H,T,N] behind those that are there, and gives all of them.</summary>
    internal Tensor Append(Tensor rows_BHTN)
    {
        long time = rows_BHTN.size(2), length = _length + time;
        if (_rows_BHSN is null || length > _rows_BHSN.size(2))
        {
            Grow(rows_BHTN, Math.Max(LeastRows, (long)BitOperations.RoundUpToPowerOf2((ulong)length)));
        }

        _rows_BHSN!.narrow(2, _length, time).copy_(rows_BHTN);
        _length = length;
        return _rows_BHSN.narrow(2, 0, length);
    }

    public void Dispose() => _rows_BHSN?.Dispose();

    private void Grow(Tensor like, long rows)
    {
        long[] shape = like.shape;
        shape[2] = rows;
        var grown = empty(shape, like.dtype, like.device).DetachFromDisposeScope();
        if (_rows_BHSN is { } old)
        {
            grown.narrow(2, 0, _length).copy_(old.narrow(2, 0, _length));
            old.Dispose();
        }

        _rows_BHSN = grown;
    }
}
