using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary, N rows.
namespace Hearth.Models.Blocks;

/// <summary>A decoder-only model: embedding, layers, norm, head, and what predicts further tokens.</summary>
public sealed record DecoderConfig(int Vocab, int Dim, IReadOnlyList<LayerConfig> Layers, bool TieEmbeddings, double NormEps, MtpConfig Mtp)
{
    /// <summary>Null where no feed-forward network routes.</summary>
    public RouterWeights? Routers { get; init; }

    /// <summary>Whether the forward rounds, so that last bits may move a logit by more than they are.</summary>
    public bool RoundsInputs { get; init; }

    /// <summary>Null = no head for decisions.</summary>
    public DecisionHeadConfig? Decision { get; init; }

    /// <summary>Null = no images.</summary>
    public PatchEncoderConfig? Patches { get; init; }

    public double MultiplyAdds(int seqLen) =>
        Layers.Sum(l => l.MultiplyAdds(seqLen)) + Mtp.MultiplyAdds(Dim, seqLen) + ((double)Mtp.Heads * Vocab * Dim);

    /// <summary>Blocks are layers and further-token modules; outside are the embedding and, of each head, its norm and the rows' gradient.</summary>
    public ActivationCosts Activations =>
        new([.. Layers.Select(l => l.Activations), .. Mtp.Activations(Dim)], Dim, Dim * (1.0 + (5 * Mtp.Heads)));
}

/// <summary>The modules of a decoder, in the order of its parameters.</summary>
internal sealed class DecoderParts(DecoderConfig config, Weights w)
{
    internal Tensor Embedding_VD { get; } = w.Take(new TensorSpec("tok_emb", [config.Vocab, config.Dim], ParameterGroup.Embed, Init.Normal(0.02)) { Decays = true });

    /// <summary>Null where the embedding is the head.</summary>
    internal Tensor? Head_VD { get; } = config.TieEmbeddings
        ? null
        : w.Take(new TensorSpec("lm_head", [config.Vocab, config.Dim], ParameterGroup.Embed, Init.Xavier()) { Decays = true, LooksUp = false });

    internal Layer[] Layers { get; } = [.. config.Layers.Select((layer, i) => layer.Build(w.Under($"blocks.{i}")))];

    internal Tensor FinalNorm_D { get; } = w.Norm("final_norm", config.Dim);

    internal MtpModule[] Mtp { get; } = config.Mtp.Build(config.Dim, w);

    internal DecisionHead? Decision { get; } = config.Decision?.Build(w.Under("decision"));

    internal PatchEncoder? Patches { get; } = config.Patches?.Build(w.Under("chart"));
}

/// <summary>Weights of the routers' losses in the total, each a mean over the routers and micro-batches.</summary>
public sealed record RouterWeights(double Balance, double Z);

/// <summary>The model that a <see cref="DecoderConfig"/> describes.</summary>
public sealed partial class Decoder : LanguageModel
{
    private readonly DecoderConfig _config;
    private readonly ScalarType _compute;
    private readonly (string Name, double Weight)[] _weights;
    private readonly RopeTables _rope;
    private readonly Layer[] _layers;
    private readonly MtpModule[] _mtp;
    private readonly DecisionHead? _decision;
    private readonly PatchEncoder? _patches;
    private readonly Tensor _embedding_VD;
    private readonly Tensor _head_VD;
    private readonly Tensor _finalNorm_D;

    public Decoder(ModelPlan plan, DecoderConfig config, ScalarType dtype, Device device, long? seed, ScalarType compute)
        : base(plan, dtype, device, seed, compute)
    {
        _config = config;
        _compute = compute;
        _rope = new RopeTables(dtype, device);
        var parts = new DecoderParts(config, Declared);
        (_layers, _mtp, _decision, _patches) = (parts.Layers, parts.Mtp, parts.Decision, parts.Patches);
        (_embedding_VD, _head_VD, _finalNorm_D) = (parts.Embedding_VD, parts.Head_VD ?? parts.Embedding_VD, parts.FinalNorm_D);
        _weights = ListTerms();
        Terms = [.. _weights.Select(t => t.Name)];
    }

    public override Tensor Logits(Tensor ids_BT) => Logits(ids_BT, RowExtras.None);

    /// <summary>Logits [B,T,V] of text rows that come with what <see cref="RowExtras"/> names.</summary>
    public Tensor Logits(Tensor ids_BT, RowExtras extras) => Head(Read(ids_BT, extras, training: false).Text_BTD, _finalNorm_D);

    public override Tensor TrainingLogits(Tensor ids_BT, IReadOnlyDictionary<string, Tensor> extras) =>
        Head(Read(ids_BT, new RowExtras(extras), training: true).Text_BTD, _finalNorm_D);

    /// <summary>Logits of multi-token head k = 1.. over rows 0..T−1−k.</summary>
    public IReadOnlyList<Tensor> MtpLogits(Tensor ids_BT) => MtpLogits(ids_BT, RowExtras.None);

    public IReadOnlyList<Tensor> MtpLogits(Tensor ids_BT, RowExtras extras) =>
        [.. Heads(ids_BT, Read(ids_BT, extras, training: false)).Skip(1).Select(h => Functions.Linear(h, _head_VD, _compute))];

    /// <summary>Logits [B,C] of the decision at each row's position.</summary>
    /// <exception cref="InvalidOperationException">The model has no such head.</exception>
    public Tensor Decide(Tensor ids_BT, RowExtras extras)
    {
        var head = _decision ?? throw new InvalidOperationException($"{Plan.Title} has no decision head: model.decision_head_enabled is false.");
        return head.Logits(Read(ids_BT, extras, training: false).Text_BTD, extras, _compute);
    }

    /// <summary>What each router chose for a text, trunk first, then the modules.</summary>
    public IReadOnlyList<Routing> Routings(Tensor ids_BT) => Routings(ids_BT, RowExtras.None);

    public IReadOnlyList<Routing> Routings(Tensor ids_BT, RowExtras extras)
    {
        var pass = Read(ids_BT, extras, training: false);
        _ = Heads(ids_BT, pass).Count();
        return [.. pass.Routers.Routings];
    }

    /// <summary>
    /// What the modules propose after a text [1,T] whose last token the main head chose: module k reads the state of module
    /// k−1 at row T−2 and the token k rows on, its own proposals once the text has ended. At most K−1 ids.
    /// </summary>
    public IReadOnlyList<int> Draft(Tensor ids_1T)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        long rows = ids_1T.size(1) - 1;
        var hidden_1TD = Trunk(Embed(ids_1T.narrow(1, 0, rows)), Context(0));
        var drafts = new List<int>();
        for (int k = 1; k <= _mtp.Length; k++)
        {
            hidden_1TD = _mtp[k - 1].Forward(hidden_1TD, Embed(ids_1T.narrow(1, k, rows)), Context(0));
            drafts.Add(Proposal(k, hidden_1TD.narrow(1, rows - 1, 1)));
            ids_1T = cat([ids_1T, tensor(new long[] { drafts[^1] }, 1, 1).to(Device)], 1);
        }

        return drafts;
    }

    private int Proposal(int module, Tensor hidden_11D) =>
        Sampler.Likeliest(Functions.Linear(_mtp[module - 1].NormOut(hidden_11D), _head_VD, _compute).flatten());

    /// <summary>Normed inputs of every head in turn: the main one [B,T,D], then module k's [B,T−k,D].</summary>
    private IEnumerable<Tensor> Heads(Tensor ids_BT, TrunkPass pass)
    {
        var hidden_BTD = pass.Text_BTD;
        yield return Functions.RmsNorm(hidden_BTD, _finalNorm_D, _config.NormEps);
        long time = ids_BT.size(1);
        for (int k = 1; k <= _mtp.Length && k < time; k++)
        {
            var context = Context(0).Over(pass.Layout?.Text(k), _compute, Device);
            var module = _mtp[k - 1];
            hidden_BTD = pass.Routers.Gather(
                pass.Tape,
                [hidden_BTD.narrow(1, 0, time - k), Embed(ids_BT.narrow(1, k, time - k))],
                (inputs, routers) => module.Forward(inputs[0], inputs[1], context with { Routers = routers }));
            yield return _mtp[k - 1].NormOut(hidden_BTD);
        }
    }

    // The whole trunk over rows of text, behind an image where a row has one.
    private TrunkPass Read(Tensor ids_BT, RowExtras extras, bool training, BlockTape? tape = null)
    {
        var x_BSD = Embed(ids_BT);
        var layout = extras.Layout(ids_BT, _patches);
        if (layout is { Prefix: > 0 })
        {
            x_BSD = cat([_patches!.Forward(extras, layout.Prefix, x_BSD), x_BSD], 1);
        }

        var pass = new TrunkPass(x_BSD, layout, new RouterTape(training), tape ?? BlockTape.Off);
        var context = Context(0).Over(layout, _compute, Device);
        foreach (var layer in _layers)
        {
            x_BSD = pass.Routers.Gather(pass.Tape, [x_BSD], (inputs, own) => layer.Forward(inputs[0], context with { Routers = own }));
        }

        long prefix = layout?.Prefix ?? 0;
        return pass with { Text_BTD = x_BSD.narrow(1, prefix, ids_BT.size(1)) };
    }

    private Tensor Trunk(Tensor x_BTD, ForwardContext context)
    {
        foreach (var layer in _layers)
        {
            x_BTD = layer.Forward(x_BTD, context);
        }

        return x_BTD;
    }

    private ForwardContext Context(long offset) => new(offset, _compute, _rope);

    private Tensor Embed(Tensor ids_BT) => Operators.Embedding(ids_BT, _embedding_VD).to(Dtype);

    private Tensor Head(Tensor x_BTD, Tensor norm_D) =>
        Functions.Linear(Functions.RmsNorm(x_BTD, norm_D, _config.NormEps), _head_VD, _compute);

    /// <summary>The un-normed states of the text's rows, and what the trunk's blocks left behind.</summary>
    private sealed record TrunkPass(Tensor Text_BTD, RowLayout? Layout, RouterTape Routers, BlockTape Tape);
}
