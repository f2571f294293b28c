using static TorchSharp.torch;

// L layers, B batch, R rings, E specialists, S their width.
namespace Hearth.Models.Positronic;

/// <summary>The specialists' stores between texts: never saved, empty after a reset, and always so while training.</summary>
public sealed partial class PositronicModel : IRingMemory
{
    private RingMemory[]? _stores;

    public bool KeepRingMemory { get; set; }

    public bool RingMemoryWriting { get; private set; } = true;

    public void SetRingMemoryWriting(bool on) => RingMemoryWriting = on;

    public void ResetRingMemory()
    {
        foreach (var memory in _stores ?? [])
        {
            memory.Release();
        }

        _stores = null;
    }

    /// <summary>
    /// Logits [B,T,V] of one whole text that starts from the stores and, when writing is on, leaves its own behind.
    /// </summary>
    /// <exception cref="InvalidOperationException">The stores are of another batch size.</exception>
    public Tensor LogitsWithMemory(Tensor ids_BT)
    {
        bool writing = RingMemoryWriting;
        var pass = NewPass(ids_BT, 0, null, CopyStores(ids_BT.size(0)), writing);
        var logits_BTV = Head(Trunk(ids_BT, pass).Hidden_BTD);
        if (writing)
        {
            Replace([.. pass.Memories.Select(m => m.Close())]);
        }

        return logits_BTV;
    }

    /// <summary>Both stores, [L,B,R,E,S], after a text that started empty; its last, unfinished chunk is not written, as in training.</summary>
    public (Tensor In_LBRES, Tensor Out_LBRES) StoresAfter(Tensor ids_BT)
    {
        var pass = NewPass(ids_BT, 0, null, EmptyMemories(ids_BT.size(0)), writing: true);
        Trunk(ids_BT, pass);
        return (stack([.. pass.Memories.Select(m => m.In_BRES)]), stack([.. pass.Memories.Select(m => m.Out_BRES)]));
    }

    /// <summary>Copies of both stores, [L,B,R,E,S]; null while they are empty or there are no specialists.</summary>
    public (Tensor In_LBRES, Tensor Out_LBRES)? RingStores() => _stores is not { Length: > 0 } stores
        ? null
        : (stack([.. stores.Select(m => m.In_BRES)]), stack([.. stores.Select(m => m.Out_BRES)]));

    /// <summary>Puts both stores, [L,B,R,E,S], in place.</summary>
    public void SetRingStores(Tensor in_LBRES, Tensor out_LBRES) => Replace(
        [.. Enumerable.Range(0, _layers.Length).Select(l => new RingMemory(in_LBRES.select(0, l).to(_wide).clone(), out_LBRES.select(0, l).to(_wide).clone()))]);

    /// <summary>The stores as a text of <paramref name="batch"/> rows finds them, for it to change.</summary>
    internal RingMemory[] CopyStores(long batch)
    {
        if (_stores is not { Length: > 0 } stores)
        {
            return EmptyMemories(batch);
        }

        long rows = stores[0].In_BRES.size(0);
        return rows == batch
            ? [.. stores.Select(m => m.Copy())]
            : throw new InvalidOperationException($"The ring memory is of {rows} rows, the text has {batch}. Reset the ring memory first.");
    }

    /// <summary>Takes over memories whose last chunk is closed.</summary>
    internal void Replace(RingMemory[] memories)
    {
        ResetRingMemory();
        _stores = [.. memories.Select(m => m.Keep())];
    }
}
