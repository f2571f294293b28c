using static TorchSharp.torch;

// B batch, R rings, E specialists of a ring, S their width, T rows.
namespace Hearth.Models.Positronic;

/// <summary>What the rows of one pass would write: kept so that a prefix of them can be written alone.</summary>
/// <param name="Weight_BRTE">γ·ρ: how strongly a row writes to each specialist.</param>
/// <param name="Query_BRTS">Addresses.</param>
/// <param name="Content_BRTS">Contents.</param>
internal sealed record MemoryRows(Tensor Weight_BRTE, Tensor Query_BRTS, Tensor Content_BRTS)
{
    internal MemoryRows Slice(long first, long count) =>
        new(Weight_BRTE.narrow(2, first, count), Query_BRTS.narrow(2, first, count), Content_BRTS.narrow(2, first, count));

    internal static MemoryRows Join(IReadOnlyList<MemoryRows> parts) => parts.Count == 1
        ? parts[0]
        : new(cat([.. parts.Select(p => p.Weight_BRTE)], 2), cat([.. parts.Select(p => p.Query_BRTS)], 2), cat([.. parts.Select(p => p.Content_BRTS)], 2));
}

/// <summary>
/// The specialists' stores of one layer and the sums of the open chunk. Immutable: writing gives another one, so going back is
/// keeping the old. Chunks end at absolute positions, whatever the calls' lengths.
/// </summary>
internal sealed record RingMemory(Tensor In_BRES, Tensor Out_BRES)
{
    private const double Rate = 0.1;

    /// <summary>Σγρ, Σγρ·query and Σγρ·content of the open chunk; null while it is empty.</summary>
    private (Tensor Mass_BRE, Tensor Query_BRES, Tensor Content_BRES)? Open { get; init; }

    internal static RingMemory Empty(long batch, PositronicConfig c, ScalarType dtype, Device device)
    {
        var none = zeros([batch, c.NRing, c.SpecPerRing, c.SpecDim], dtype, device);
        return new RingMemory(none, none.clone());
    }

    /// <summary>Adds rows that lie within one chunk; writes when the last of them ends it.</summary>
    internal RingMemory Add(MemoryRows rows, bool endsChunk)
    {
        var across = rows.Weight_BRTE.transpose(-2, -1);
        var (mass, query, content) = (rows.Weight_BRTE.sum(2), across.matmul(rows.Query_BRTS), across.matmul(rows.Content_BRTS));
        var open = Open is { } sums ? (sums.Mass_BRE + mass, sums.Query_BRES + query, sums.Content_BRES + content) : (mass, query, content);
        var added = this with { Open = open };
        return endsChunk ? added.Close() : added;
    }

    /// <summary>Adds rows from position <paramref name="offset"/> on, through as many chunks as they span.</summary>
    internal RingMemory AddAll(MemoryRows rows, long offset, int chunk)
    {
        var memory = this;
        foreach (var (first, count, ends) in Chunks(offset, rows.Weight_BRTE.size(2), chunk))
        {
            memory = memory.Add(rows.Slice(first, count), ends);
        }

        return memory;
    }

    /// <summary>Writes the open chunk: S ← (1 − η)S + η·(its weighted mean), η = 0.1(1 − e^{−mass}).</summary>
    internal RingMemory Close()
    {
        if (Open is not { } sums)
        {
            return this;
        }

        var mass_BRE1 = sums.Mass_BRE.unsqueeze(-1);
        var rate_BRE1 = ((-mass_BRE1).exp() * -Rate) + Rate;
        var keep_BRE1 = (rate_BRE1 * -1) + 1;
        var share_BRE1 = rate_BRE1 / (mass_BRE1 + 1e-6);
        return new RingMemory((keep_BRE1 * In_BRES) + (share_BRE1 * sums.Query_BRES), (keep_BRE1 * Out_BRES) + (share_BRE1 * sums.Content_BRES));
    }

    /// <summary>Pieces of rows [offset, offset + count) between chunk ends: first row, rows, whether the chunk ends there.</summary>
    internal static IEnumerable<(long First, long Count, bool Ends)> Chunks(long offset, long count, int chunk)
    {
        for (long first = 0; first < count;)
        {
            long left = chunk - ((offset + first) % chunk), here = Math.Min(left, count - first);
            yield return (first, here, here == left);
            first += here;
        }
    }

    /// <summary>Keeps the tensors beyond every scope; <see cref="Release"/> frees them.</summary>
    internal RingMemory Keep()
    {
        foreach (var tensor in Tensors())
        {
            tensor.DetachFromDisposeScope();
        }

        return this;
    }

    /// <summary>Frees what none of <paramref name="heirs"/> holds too.</summary>
    internal void Release(params RingMemory[] heirs)
    {
        Tensor[] kept = [.. heirs.SelectMany(h => h.Tensors())];
        foreach (var tensor in Tensors().Where(t => !kept.Contains(t)))
        {
            tensor.Dispose();
        }
    }

    internal RingMemory Copy()
    {
        var copy = new RingMemory(In_BRES.clone(), Out_BRES.clone());
        return Open is { } sums ? copy with { Open = (sums.Mass_BRE.clone(), sums.Query_BRES.clone(), sums.Content_BRES.clone()) } : copy;
    }

    private Tensor[] Tensors() => Open is { } sums ? [In_BRES, Out_BRES, sums.Mass_BRE, sums.Query_BRES, sums.Content_BRES] : [In_BRES, Out_BRES];
}
