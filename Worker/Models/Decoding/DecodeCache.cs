using System.Runtime.InteropServices;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, H heads, T rows of this pass, S rows so far, N width.
namespace Hearth.Models.Decoding;

/// <summary>
/// What a model's modules keep of a text while it is decoded pass by pass: keys and values, last rows, states of recurrences. The passes
/// are given in the text's order.
/// </summary>
internal sealed class DecodeCache : Past, IDisposable
{
    private readonly Dictionary<(object Module, string Name), RowCache> _rows = [];
    private readonly Dictionary<(object Module, string Name), Kept> _last = [];

    /// <summary>Rows that keys and values are kept of.</summary>
    internal long Length => _rows.Values.FirstOrDefault()?.Length ?? 0;

    /// <summary>Everything that is kept.</summary>
    internal IEnumerable<Tensor> Tensors => [.. _rows.Values.Select(r => r.Rows), .. _last.Values.Select(l => l.Value!)];

    public override Tensor Extend(object module, string name, Tensor rows_BHTN, int? window = null)
    {
        if (window is not { } most)
        {
            return Of(_rows, module, name).Append(rows_BHTN);
        }

        var last = Of(_last, module, name);
        var all_BHSN = last.Value is null ? rows_BHTN : cat([last.Value, rows_BHTN], 2);
        long kept = Math.Min(most, all_BHSN.size(2));
        last.Set(all_BHSN.narrow(2, all_BHSN.size(2) - kept, kept));
        return all_BHSN;
    }

    public override Tensor? Before(object module, string name, Tensor rows_BT, long count)
    {
        var last = Of(_last, module, name);
        var before = last.Value?.clone();
        long[] shape = rows_BT.shape;
        long time = shape[1];
        shape[1] = count;
        last.Set(time >= count
            ? rows_BT.narrow(1, time - count, count)
            : cat([before ?? zeros(shape, rows_BT.dtype, rows_BT.device), rows_BT], 1).narrow(1, time, count));
        return before;
    }

    public override Tensor Scan(object module, Tensor start, Func<Tensor, (Tensor Y, Tensor State)> run)
    {
        var state = Of(_last, module, "state");
        var (y, after) = run(state.Value ?? start);
        state.Set(after);
        return y;
    }

    /// <summary>Forgets every row from <paramref name="length"/> on.</summary>
    /// <exception cref="InvalidOperationException">A module keeps what earlier rows cannot be told apart in.</exception>
    internal void Truncate(long length)
    {
        if (_last.Count > 0)
        {
            throw new InvalidOperationException($"{_last.Keys.First().Module.GetType().Name} keeps a state or a window of the text, which cannot be taken back.");
        }

        foreach (var rows in _rows.Values)
        {
            rows.Truncate(length);
        }
    }

    public void Dispose()
    {
        foreach (var rows in _rows.Values)
        {
            rows.Dispose();
        }

        foreach (var last in _last.Values)
        {
            last.Dispose();
        }
    }

    private static T Of<T>(Dictionary<(object Module, string Name), T> kept, object module, string name)
        where T : class, new() => CollectionsMarshal.GetValueRefOrAddDefault(kept, (module, name), out _) ??= new T();
}
