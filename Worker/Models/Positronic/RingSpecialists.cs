using static TorchSharp.torch;

// B batch, T time, D model width, R rings, E specialists of a ring, S their width, C rows of a chunk.
namespace Hearth.Models.Positronic;

/// <summary>
/// Small experts with a memory that is written while reading. A token finds the specialists nearest to its address among their
/// keys and what they were addressed with before, reads what they hold, and adds its own address and content at the end of the
/// chunk. All rings at once.
/// </summary>
internal sealed class RingSpecialists(PositronicConfig config, Weights w)
{
    private readonly Ring[] _all = [.. Enumerable.Range(0, config.NRing).Select(r => new Ring(config, r, w.Under($"spec{r}")))];

    /// <summary>Currents for every ring [B,T,n_r], the memory after the rows, and what they wrote (null when nothing is).</summary>
    /// <param name="x_BTD">The block's normed input.</param>
    /// <param name="memory">As of the first row.</param>
    /// <param name="offset">Position of the first row.</param>
    /// <param name="writing">Whether rows write; their reads are the same either way until a chunk ends.</param>
    /// <param name="types">Of phases and stores, and of matrix products.</param>
    internal (Tensor[] Currents, RingMemory Memory, MemoryRows? Rows) Forward(
        Tensor x_BTD, RingMemory memory, long offset, bool writing, (ScalarType Wide, ScalarType Compute) types)
    {
        var query_BRTS = Project(x_BTD, r => r.Query, types);
        var content_BRTS = writing ? Project(x_BTD, r => r.Content, types) : null;
        var gate_BRT1 = writing ? Project(x_BTD, r => r.WriteGate, types).sigmoid() : null;
        var keys_RES = stack([.. _all.Select(r => r.Keys)]);
        var reads = new List<Tensor>();
        var written = new List<MemoryRows>();
        foreach (var (first, count, ends) in RingMemory.Chunks(offset, x_BTD.size(1), config.MemChunk))
        {
            var query_BRCS = query_BRTS.narrow(2, first, count);
            var chosen_BRCE = Choose(query_BRCS, keys_RES + memory.In_BRES);
            reads.Add(chosen_BRCE.matmul(memory.Out_BRES));
            if (writing)
            {
                var rows = new MemoryRows(gate_BRT1!.narrow(2, first, count) * chosen_BRCE, query_BRCS, content_BRTS!.narrow(2, first, count));
                memory = memory.Add(rows, ends);
                written.Add(rows);
            }
        }

        var read_BRTS = reads.Count == 1 ? reads[0] : cat(reads, 2);
        Tensor[] currents = [.. _all.Select((ring, r) =>
            Gates.NoOp(Functions.Linear(read_BRTS.select(1, r), ring.Decode, types.Compute).to(types.Wide), ring.Scale))];
        return (currents, memory, writing ? MemoryRows.Join(written) : null);
    }

    // One product for all rings: [B,T,D] to [B,R,T,·].
    private Tensor Project(Tensor x_BTD, Func<Ring, Tensor> weight, (ScalarType Wide, ScalarType Compute) types) =>
        Functions.Linear(x_BTD, cat([.. _all.Select(weight)]), types.Compute).to(types.Wide).view(x_BTD.size(0), x_BTD.size(1), config.NRing, -1).transpose(1, 2);

    // softmax over the k greatest scores, 0 elsewhere; of equals the lowest specialist.
    private Tensor Choose(Tensor query_BRCS, Tensor address_BRES)
    {
        var scores_BRCE = query_BRCS.matmul(address_BRES.transpose(-2, -1)) * (1 / Math.Sqrt(config.SpecDim));
        if (config.SpecTopK == config.SpecPerRing)
        {
            return scores_BRCE.softmax(-1);
        }

        return scores_BRCE.masked_fill(Rest(scores_BRCE), double.NegativeInfinity).softmax(-1);
    }

    private Tensor Rest(Tensor scores_BRCE)
    {
        using var quiet = no_grad();
        var left_BRCE = scores_BRCE.clone();
        for (int k = 0; k < config.SpecTopK; k++)
        {
            // argmax gives the first of equals, which topk does not promise.
            var best_BRC1 = left_BRCE.argmax(-1).unsqueeze(-1);
            left_BRCE.scatter_add_(-1, best_BRC1, full(best_BRC1.shape, double.NegativeInfinity, left_BRCE.dtype, left_BRCE.device));
        }

        return left_BRCE.gt(double.NegativeInfinity);
    }

    /// <summary>What the specialists of one ring share.</summary>
    private sealed class Ring(PositronicConfig config, int ring, Weights w)
    {
        internal Tensor Query { get; } = w.Matrix("query", config.SpecDim, config.DModel, PositronicInit.Small);

        internal Tensor Content { get; } = w.Matrix("content", config.SpecDim, config.DModel, PositronicInit.Small);

        internal Tensor WriteGate { get; } = w.Vector("write_gate", Init.Zeros, 1, config.DModel);

        internal Tensor Keys { get; } = w.Vector("keys", Init.Normal(1), config.SpecPerRing, config.SpecDim);

        internal Tensor Decode { get; } = w.Matrix("decode", config.Rings[ring], config.SpecDim, PositronicInit.FanIn(config.SpecDim));

        internal Tensor Scale { get; } = w.Gate("scale");
    }
}
