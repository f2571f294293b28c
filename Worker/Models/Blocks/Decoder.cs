using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary, N rows.
namespace Hearth.Models.Blocks;

/// <summary>A decoder-only model: embedding, layers, norm, head, and what predicts further tokens.</summary>
public sealed record DecoderConfig(int Vocab, int Dim, IReadOnlyList<LayerConfig> Layers, bool TieEmbeddings, double NormEps, MtpConfig Mtp)
{
    public IEnumerable<TensorSpec> Tensors()
    {
        yield return new TensorSpec("tok_emb", [Vocab, Dim], ParameterGroup.Embed, Init.Normal(0.02));
        if (!TieEmbeddings)
        {
            yield return new TensorSpec("lm_head", [Vocab, Dim], ParameterGroup.Embed, Init.Xavier()) { LooksUp = false };
        }

        foreach (var (layer, index) in Layers.Select((layer, index) => (layer, index)))
        {
            foreach (var tensor in layer.Tensors($"blocks.{index}"))
            {
                yield return tensor;
            }
        }

        yield return TensorSpec.Norm("final_norm", Dim);
        foreach (var tensor in Mtp.Tensors(Dim))
        {
            yield return tensor;
        }
    }

    public double MultiplyAdds(int seqLen) =>
        Layers.Sum(l => l.MultiplyAdds(seqLen)) + Mtp.MultiplyAdds(Dim, seqLen) + ((double)Mtp.Heads * Vocab * Dim);

    public double Activations(int seqLen) => Layers.Sum(l => l.Activations(seqLen)) + Mtp.Activations(Dim, seqLen);
}

/// <summary>The model that a <see cref="DecoderConfig"/> describes.</summary>
public sealed class Decoder : LanguageModel
{
    private readonly DecoderConfig _config;
    private readonly ScalarType _compute;
    private readonly RopeTables _rope;
    private readonly Layer[] _layers;
    private readonly MtpModule[] _mtp;
    private readonly Tensor _embedding_VD;
    private readonly Tensor _head_VD;
    private readonly Tensor _finalNorm_D;

    public Decoder(ModelPlan plan, DecoderConfig config, ScalarType dtype, Device device, long seed, ScalarType compute)
        : base(plan, dtype, device, seed)
    {
        _config = config;
        _compute = compute;
        _rope = new RopeTables(dtype, device);
        _layers = [.. config.Layers.Select((layer, i) => layer.Build(Weight, $"blocks.{i}"))];
        _mtp = config.Mtp.Build(Weight);
        _embedding_VD = Weight("tok_emb");
        _head_VD = config.TieEmbeddings ? _embedding_VD : Weight("lm_head");
        _finalNorm_D = Weight("final_norm");
        Terms = [("ce", 1.0), .. _mtp.Select((_, i) => ($"mtp.{i + 1}", config.Mtp.Weight / _mtp.Length))];
    }

    public override IReadOnlyList<(string Name, double Weight)> Terms { get; }

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength)
    {
        var counts = new long[Terms.Count];
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] < 0)
            {
                continue;
            }

            // The label at column c is the target of head k from row c − k − 1, where that row exists.
            for (int k = 0; k < counts.Length && (i % rowLength) - k - 1 >= 0; k++)
            {
                counts[k]++;
            }
        }

        return new LossTotals(counts);
    }

    /// <exception cref="ArgumentException">Rows of one token: there is nothing to predict.</exception>
    public override LossResult Loss(LossInput input)
    {
        var (ids_BT, labels_BT, totals) = input;
        if (ids_BT.size(1) < 2)
        {
            throw new ArgumentException($"a row of {ids_BT.size(1)} token has no target. Allowed: at least 2.", nameof(ids_BT));
        }

        var sums = new List<Tensor>();
        var loss = new HeadLoss(_head_VD, _compute);
        int k = 0;
        foreach (var hidden_BTD in Heads(ids_BT, Trunk(ids_BT, 0, null)))
        {
            long targets = labels_BT.size(1) - k - 1;
            if (targets > 0)
            {
                var rows_ND = hidden_BTD.narrow(1, 0, targets).reshape(-1, _config.Dim);
                var labels_N = labels_BT.narrow(1, k + 1, targets).reshape(-1);
                sums.Add(loss.Add(rows_ND, labels_N, Terms[k].Weight / Math.Max(1, totals.Counts[k])));
            }

            k++;
        }

        // Heads that reach past the end of so short a row have no target.
        while (sums.Count < Terms.Count)
        {
            sums.Add(zeros([], Dtype, Device));
        }

        return new LossResult(loss.Total(), sums);
    }

    public override Tensor Logits(Tensor ids_BT) => Head(Trunk(ids_BT, 0, null), _finalNorm_D);

    /// <summary>Logits of multi-token head k = 1.. over rows 0..T−1−k.</summary>
    public IReadOnlyList<Tensor> MtpLogits(Tensor ids_BT) =>
        [.. Heads(ids_BT, Trunk(ids_BT, 0, null)).Skip(1).Select(h => Functions.Linear(h, _head_VD, _compute))];

    /// <summary>
    /// What the modules propose after a text [1,T] whose last token the main head chose: module k reads the state of module
    /// k−1 at row T−2 and the token k rows on, its own proposals once the text has ended. At most K−1 ids.
    /// </summary>
    public IReadOnlyList<int> Draft(Tensor ids_1T)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        long rows = ids_1T.size(1) - 1;
        var hidden_1TD = Trunk(ids_1T.narrow(1, 0, rows), 0, null);
        var drafts = new List<int>();
        for (int k = 1; k <= _mtp.Length; k++)
        {
            var next_1TD = nn.functional.embedding(ids_1T.narrow(1, k, rows), _embedding_VD);
            hidden_1TD = _mtp[k - 1].Forward(hidden_1TD, next_1TD, Context(0));
            var logits_V = Functions.Linear(_mtp[k - 1].NormOut(hidden_1TD.narrow(1, rows - 1, 1)), _head_VD, _compute).flatten();
            drafts.Add(Sampler.Likeliest(logits_V));
            ids_1T = cat([ids_1T, tensor(new long[] { drafts[^1] }, 1, 1).to(Device)], 1);
        }

        return drafts;
    }

    public override IEnumerable<CaseResult> Case(CaseInputs inputs)
    {
        var ids_BT = inputs.Ids("input.ids");
        return
        [
            new CaseResult("logits", "expect.logits", Logits(ids_BT)),
            .. MtpLogits(ids_BT).Select((logits, i) => new CaseResult("logits", $"expect.mtp_logits.{i + 1}", logits)),
            .. inputs.Contains("expect.drafts") ? [Drafts(inputs, ids_BT)] : Array.Empty<CaseResult>(),
        ];
    }

    public override IDecodeSession StartDecode() => new Session(this);

    // drafts[b,i]: what the further heads propose when greedy[b, :i+1] is known.
    private CaseResult Drafts(CaseInputs inputs, Tensor ids_BT)
    {
        const int promptTokens = 8;
        var greedy_BT = inputs.Ids("expect.greedy");
        long[] shape = inputs.Shape("expect.drafts");
        var all = new List<int>();
        for (long b = 0; b < shape[0]; b++)
        {
            for (long i = 0; i < shape[1]; i++)
            {
                using var scope = NewDisposeScope();
                all.AddRange(Draft(cat([ids_BT.narrow(0, b, 1).narrow(1, 0, promptTokens), greedy_BT.narrow(0, b, 1).narrow(1, 0, i + 1)], 1)));
            }
        }

        return new CaseResult("drafts", "expect.drafts", tensor(all.ToArray(), shape));
    }

    /// <summary>Normed inputs of every head in turn: the main one [B,T,D], then module k's [B,T−k,D].</summary>
    private IEnumerable<Tensor> Heads(Tensor ids_BT, Tensor hidden_BTD)
    {
        yield return Functions.RmsNorm(hidden_BTD, _finalNorm_D, _config.NormEps);
        long time = ids_BT.size(1);
        for (int k = 1; k <= _mtp.Length && k < time; k++)
        {
            var next_BTD = nn.functional.embedding(ids_BT.narrow(1, k, time - k), _embedding_VD);
            hidden_BTD = _mtp[k - 1].Forward(hidden_BTD.narrow(1, 0, time - k), next_BTD, Context(0));
            yield return _mtp[k - 1].NormOut(hidden_BTD);
        }
    }

    private Tensor Trunk(Tensor ids_BT, long offset, MixerState[]? states)
    {
        var context = Context(offset);
        var x_BTD = nn.functional.embedding(ids_BT, _embedding_VD);
        for (int i = 0; i < _layers.Length; i++)
        {
            x_BTD = _layers[i].Forward(x_BTD, context, states?[i]);
        }

        return x_BTD;
    }

    private ForwardContext Context(long offset) => new(offset, _compute, _rope);

    private Tensor Head(Tensor x_BTD, Tensor norm_D) =>
        Functions.Linear(Functions.RmsNorm(x_BTD, norm_D, _config.NormEps), _head_VD, _compute);

    private sealed class Session(Decoder model) : IDecodeSession
    {
        private readonly MixerState[] _states = [.. model._layers.Select(l => l.NewState())];
        private long _length;

        public Tensor Step(Tensor ids_BT)
        {
            if (_length + ids_BT.size(1) > model.Plan.MaxSeqLen)
            {
                throw new ArgumentException($"The text would have {_length + ids_BT.size(1)} tokens; {model.Plan.Title}'s longest is {model.Plan.MaxSeqLen}.", nameof(ids_BT));
            }

            using var quiet = no_grad();
            using var scope = NewDisposeScope();
            var logits = model.Head(model.Trunk(ids_BT, _length, _states), model._finalNorm_D);
            _length += ids_BT.size(1);
            return logits.MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var state in _states)
            {
                state.Dispose();
            }
        }
    }
}
