using Hearth.Models.Decoding;
using static TorchSharp.torch;

// B batch, T new rows, P tokens that hashes reach back, D model width, V vocabulary.
namespace Hearth.Models.Positronic;

/// <summary>
/// Decoding with caches: keys and values of attention and phase slots, the last ids, the specialists' memories. The last fed block
/// can be taken back in part. Ending it leaves the memory to the model when writing was on at its start.
/// </summary>
internal sealed class PositronicSession : ISpeculativeSession
{
    private readonly PositronicModel _model;
    private readonly PositronicConfig _config;
    private readonly bool _writing;
    private readonly DecodeCache _past = new();
    private RingMemory[]? _memories;
    private readonly Kept _before_BP = new();
    private long _length;
    private Block? _block;

    internal PositronicSession(PositronicModel model, PositronicConfig config)
    {
        (_model, _config, _writing) = (model, config, model.RingMemoryWriting);
        if (!model.KeepRingMemory)
        {
            model.ResetRingMemory();
        }
    }

    public int MaxDrafts => _config.UseMtp ? _config.MtpHeads : 0;

    public Tensor Step(Tensor ids_BT)
    {
        var logits_BTV = Feed(ids_BT, (int)ids_BT.size(1));
        Commit((int)ids_BT.size(1));
        return logits_BTV;
    }

    public Tensor Feed(IReadOnlyList<int> ids, int count)
    {
        using var scope = NewDisposeScope();
        long[] wide = [.. ids.Select(id => (long)id)];
        return Feed(tensor(wide, 1, wide.Length).to(_model.Device), count).MoveToOuterDisposeScope();
    }

    public void Commit(int rows)
    {
        var block = _block ?? throw new InvalidOperationException("No block was fed.");
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var before = _memories!;
        if (rows == block.Ids_BT.size(1))
        {
            _memories = block.After;
        }
        else
        {
            // Rows of the block saw only rows before them, so what the committed ones would write is what they wrote.
            _past.Truncate(_length + rows);
            _memories = [.. before.Select((m, l) => _writing && rows > 0 ? m.AddAll(block.Written[l]!.Slice(0, rows), _length, _config.MemChunk).Keep() : m)];
            Release(block.After, _memories, before);
        }

        Release(before, _memories);
        Remember(block.Ids_BT.narrow(1, 0, rows));
        _length += rows;
        block.Release();
        _block = null;
    }

    public IReadOnlyList<int> Draft(int row, int next, int count)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var hidden_11D = _block!.Hidden_BTD.narrow(1, row, 1);
        return [.. Enumerable.Range(1, Math.Min(count, MaxDrafts)).Select(k => Sampler.Likeliest(_model.Head(_model.Further(hidden_11D, k)).flatten()))];
    }

    public void Dispose()
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (_block is not null)
        {
            Commit(0);
        }

        if (_memories is { Length: > 0 } memories)
        {
            RingMemory[] closed = [.. memories.Select(m => m.Close())];
            if (_writing)
            {
                _model.Replace(closed);
            }

            Release(memories, _writing ? closed : []);
            _memories = [];
        }

        _before_BP.Dispose();
        _past.Dispose();
    }

    private Tensor Feed(Tensor ids_BT, int count)
    {
        if (_block is not null)
        {
            throw new InvalidOperationException("The last block is neither committed nor taken back.");
        }

        long time = ids_BT.size(1);
        _model.Fits(_length + time);

        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        _memories ??= [.. _model.CopyStores(ids_BT.size(0)).Select(m => m.Keep())];
        var pass = _model.NewPass(ids_BT, _length, _before_BP.Value, [.. _memories], _writing) with { Past = _past };
        var (hidden_BTD, _) = _model.Trunk(ids_BT, pass);
        var logits_BTV = _model.Head(hidden_BTD.narrow(1, time - count, count));
        _block = new Block(ids_BT.clone().DetachFromDisposeScope(), hidden_BTD.DetachFromDisposeScope(), [.. pass.Memories.Select(m => m.Keep())], [.. pass.Written.Select(Keep)]);
        return logits_BTV.MoveToOuterDisposeScope();
    }

    private void Remember(Tensor ids_BT)
    {
        var all = _before_BP.Value is null ? ids_BT : cat([_before_BP.Value, ids_BT], 1);
        long kept = Math.Min(all.size(1), _config.EngramOrders - 1);
        _before_BP.Set(all.narrow(1, all.size(1) - kept, kept));
    }

    private static MemoryRows? Keep(MemoryRows? rows)
    {
        foreach (var tensor in rows is null ? [] : new[] { rows.Weight_BRTE, rows.Query_BRTS, rows.Content_BRTS })
        {
            tensor.DetachFromDisposeScope();
        }

        return rows;
    }

    private static void Release(RingMemory[] memories, params RingMemory[][] heirs)
    {
        for (int l = 0; l < memories.Length; l++)
        {
            memories[l].Release([.. heirs.Where(h => h.Length > l).Select(h => h[l])]);
        }
    }

    /// <summary>Rows that were fed and not yet committed.</summary>
    private sealed record Block(Tensor Ids_BT, Tensor Hidden_BTD, RingMemory[] After, MemoryRows?[] Written)
    {
        internal void Release()
        {
            Ids_BT.Dispose();
            Hidden_BTD.Dispose();
            foreach (var rows in Written.OfType<MemoryRows>())
            {
                rows.Weight_BRTE.Dispose();
                rows.Query_BRTS.Dispose();
                rows.Content_BRTS.Dispose();
            }
        }
    }
}
