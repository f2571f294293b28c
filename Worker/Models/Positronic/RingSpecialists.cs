using static TorchSharp.torch;

// B batch, T time, D model width, R rings, E specialists of a ring, S their width, C rows of a chunk.
namespace Hearth.Models.Positronic;

/// <summary>
/// Small experts with a memory that is written while reading. A token finds the specialists nearest to its address among their
/// keys and what they were addressed with before, reads what they hold, and adds its own address and content at the end of the
/// chunk. All rings at once.
/// </summary>
internal sealed class RingSpecialists
{
    private readonly PositronicConfig _config;
    private readonly Tensor[] _query;
    private readonly Tensor[] _content;
    private readonly Tensor[] _writeGate;
    private readonly Tensor[] _keys;
    private readonly Tensor[] _decode;
    private readonly Tensor[] _scale;

    internal RingSpecialists(PositronicConfig config, Func<string, Tensor> weight, string layer)
    {
        _config = config;
        Tensor[] Each(string name) => [.. Enumerable.Range(0, config.NRing).Select(r => weight($"{layer}.spec{r}.{name}"))];
        (_query, _content, _writeGate) = (Each("query"), Each("content"), Each("write_gate"));
        (_keys, _decode, _scale) = (Each("keys"), Each("decode"), Each("scale"));
    }

    /// <summary>Currents for every ring [B,T,n_r], the memory after the rows, and what they wrote (null when nothing is).</summary>
    /// <param name="x_BTD">The block's normed input.</param>
    /// <param name="memory">As of the first row.</param>
    /// <param name="offset">Position of the first row.</param>
    /// <param name="writing">Whether rows write; their reads are the same either way until a chunk ends.</param>
    /// <param name="types">Of phases and stores, and of matrix products.</param>
    internal (Tensor[] Currents, RingMemory Memory, MemoryRows? Rows) Forward(
        Tensor x_BTD, RingMemory memory, long offset, bool writing, (ScalarType Wide, ScalarType Compute) types)
    {
        var query_BRTS = Project(x_BTD, _query, types);
        var content_BRTS = writing ? Project(x_BTD, _content, types) : null;
        var gate_BRT1 = writing ? Project(x_BTD, _writeGate, types).sigmoid() : null;
        var keys_RES = stack(_keys);
        var reads = new List<Tensor>();
        var written = new List<MemoryRows>();
        foreach (var (first, count, ends) in RingMemory.Chunks(offset, x_BTD.size(1), _config.MemChunk))
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
        Tensor[] currents = [.. _decode.Select((decode, r) =>
            Gates.NoOp(Functions.Linear(read_BRTS.select(1, r), decode, types.Compute).to(types.Wide), _scale[r]))];
        return (currents, memory, writing ? MemoryRows.Join(written) : null);
    }

    // One product for all rings: [B,T,D] to [B,R,T,·].
    private Tensor Project(Tensor x_BTD, Tensor[] weights, (ScalarType Wide, ScalarType Compute) types) =>
        Functions.Linear(x_BTD, cat(weights), types.Compute).to(types.Wide).view(x_BTD.size(0), x_BTD.size(1), _config.NRing, -1).transpose(1, 2);

    // softmax over the k greatest scores, 0 elsewhere; of equals the lowest specialist.
    private Tensor Choose(Tensor query_BRCS, Tensor address_BRES)
    {
        var scores_BRCE = query_BRCS.matmul(address_BRES.transpose(-2, -1)) * (1 / Math.Sqrt(_config.SpecDim));
        if (_config.SpecTopK == _config.SpecPerRing)
        {
            return scores_BRCE.softmax(-1);
        }

        return scores_BRCE.masked_fill(Rest(scores_BRCE), double.NegativeInfinity).softmax(-1);
    }

    private Tensor Rest(Tensor scores_BRCE)
    {
        using var quiet = no_grad();
        var left_BRCE = scores_BRCE.clone();
        for (int k = 0; k < _config.SpecTopK; k++)
        {
            // argmax gives the first of equals, which topk does not promise.
            var best_BRC1 = left_BRCE.argmax(-1).unsqueeze(-1);
            left_BRCE.scatter_add_(-1, best_BRC1, full(best_BRC1.shape, double.NegativeInfinity, left_BRCE.dtype, left_BRCE.device));
        }

        return left_BRCE.gt(double.NegativeInfinity);
    }
}
