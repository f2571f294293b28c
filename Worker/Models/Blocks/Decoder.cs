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
            yield return new TensorSpec("lm_head", [Vocab, Dim], ParameterGroup.Embed, Init.Xavier());
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

    public override LossResult Loss(Tensor ids_BT, Tensor labels_BT, LossTotals totals)
    {
        var sums = new List<Tensor>();
        Tensor? total = null;
        int k = 0;
        foreach (var hidden_BTD in Heads(ids_BT, Trunk(ids_BT, 0, null)))
        {
            long targets = labels_BT.size(1) - k - 1;
            if (targets > 0)
            {
                var rows_ND = hidden_BTD.narrow(1, 0, targets).reshape(-1, _config.Dim);
                var labels_N = labels_BT.narrow(1, k + 1, targets).reshape(-1);
                var sum = Functions.CrossEntropySum(Functions.Linear(rows_ND, _head_VD, _compute), labels_N);
                var part = sum * (Terms[k].Weight / Math.Max(1, totals.Counts[k]));
                total = total is null ? part : total + part;
                sums.Add(sum.detach());
            }
            else
            {
                sums.Add(zeros([], Dtype, Device));
            }

            k++;
        }

        return new LossResult(total ?? throw new ArgumentException("a row of one token has no target", nameof(ids_BT)), sums);
    }

    public override Tensor Logits(Tensor ids_BT) => Head(Trunk(ids_BT, 0, null), _finalNorm_D);

    /// <summary>Logits of multi-token head k = 1.. over rows 0..T−1−k.</summary>
    public IReadOnlyList<Tensor> MtpLogits(Tensor ids_BT) =>
        [.. Heads(ids_BT, Trunk(ids_BT, 0, null)).Skip(1).Select(h => Functions.Linear(h, _head_VD, _compute))];

    public override IDecodeSession StartDecode() => new Session(this);

    /// <summary>Normed inputs of every head in turn: the main one [B,T,D], then module k's [B,T−k,D].</summary>
    private IEnumerable<Tensor> Heads(Tensor ids_BT, Tensor hidden_BTD)
    {
        yield return Functions.RmsNorm(hidden_BTD, _finalNorm_D, _config.NormEps);
        long time = ids_BT.size(1);
        for (int k = 1; k <= _mtp.Length && k < time; k++)
        {
            var next_BTD = nn.functional.embedding(ids_BT.narrow(1, k, time - k), _embedding_VD);
            hidden_BTD = _mtp[k - 1].Forward(hidden_BTD.narrow(1, 0, time - k), next_BTD, new ForwardContext(0, _compute));
            yield return _mtp[k - 1].NormOut(hidden_BTD);
        }
    }

    private Tensor Trunk(Tensor ids_BT, long offset, MixerState[]? states)
    {
        var context = new ForwardContext(offset, _compute);
        var x_BTD = nn.functional.embedding(ids_BT, _embedding_VD);
        for (int i = 0; i < _layers.Length; i++)
        {
            x_BTD = _layers[i].Forward(x_BTD, context, states?[i]);
        }

        return x_BTD;
    }

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
