using static TorchSharp.torch;

// B batch, K key/value heads, T new rows, S rows so far, N head width.
namespace Hearth.Models.Blocks;

/// <summary>Keys and values so far.</summary>
public sealed class KvCache : MixerState
{
    private readonly RowCache _keys = new();
    private readonly RowCache _values = new();

    public long Length => _keys.Length;

    /// <summary>All rows so far, [B,K,S,N]; called once there are any.</summary>
    internal (Tensor K_BKSN, Tensor V_BKSN) Rows => (_keys.Rows, _values.Rows);

    /// <summary>Adds rows [B,K,T,N]; all rows so far, as views that the next call may overwrite past their end.</summary>
    public (Tensor K_BKSN, Tensor V_BKSN) Append(Tensor k_BKTN, Tensor v_BKTN) => (_keys.Append(k_BKTN), _values.Append(v_BKTN));

    /// <summary>Forgets every row from <paramref name="length"/> on.</summary>
    public void Truncate(long length)
    {
        _keys.Truncate(length);
        _values.Truncate(length);
    }

    public override void Dispose()
    {
        _keys.Dispose();
        _values.Dispose();
    }
}
