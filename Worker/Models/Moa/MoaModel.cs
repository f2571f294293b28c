using Hearth.Kernels;
using Hearth.Models.Decoding;
using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary.
namespace Hearth.Models.Moa;

/// <summary>Embedding, blocks, norm, tied head; the triangle and balance terms beside the cross entropy in training.</summary>
public sealed class MoaModel : LanguageModel
{
    private const string TriangleWeight = "triangle.weight";
    private const string DropoutKey = "dropout.key";
    private readonly MoaConfig _config;
    private readonly ScalarType _compute;
    private readonly FourierTables _tables;
    private readonly MoaBlock[] _blocks;
    private readonly Tensor _embedding_VD;
    private readonly Tensor _finalNorm_D;

    internal MoaModel(MoaPlan plan, MoaConfig config, ScalarType dtype, Device device, long? seed, ScalarType compute)
        : base(plan, dtype, device, seed, compute)
    {
        (_config, _compute) = (config, compute);
        _tables = new FourierTables(config.HeadDim, config.RBasis, config.ThetaBase, dtype, device);
        var parts = new MoaParts(config, Declared);
        (_blocks, _embedding_VD, _finalNorm_D) = (parts.Blocks, parts.Embedding_VD, parts.FinalNorm_D);
    }

    /// <summary>Attention's form; <see cref="AttentionForm.Explicit"/> is the definition that tests compare with.</summary>
    internal AttentionForm Form { get; set; }

    public override IReadOnlyList<string> Terms { get; } = ["ce", "ti", "balance"];

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength)
    {
        long targets = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            // The label in a row's first column is the target of no row.
            targets += labels[i] >= 0 && i % rowLength != 0 ? 1 : 0;
        }

        return new LossTotals([targets, 1, 1]);
    }

    /// <summary>Every path ties at the start, so training routes softly at first.</summary>
    public override StepChoices Choose(TrainingStep step) => new MoaChoices(KeepsTwo: _config.RouterTopk == 2 && step.Step >= _config.RouterSoftSteps);

    /// <summary>Triples are drawn on the host; the triangle term's weight and the key of dropout change with the step.</summary>
    protected override IEnumerable<(string Name, Tensor Value)> Make(LossInput input, TrainingStep step)
    {
        long batch = input.Ids_BT.size(0), time = input.Labels_BT.size(1) - 1;
        return
        [
            (TriangleWeight, full([], _config.TriangleWeight(step.Step), float64, Device)),
            .. _config.AttnDropout + _config.ProjDropout > 0 ? [(DropoutKey, KeyedDropout.Key(step, Device))] : Array.Empty<(string, Tensor)>(),
            .. Enumerable.Range(0, _blocks.Length).SelectMany(layer => TriangleTerm.Draw(step, layer, _config.TiSamples, batch, Math.Max(1, time), Device)),
        ];
    }

    /// <summary>
    /// The blocks run over all columns but the last, which predicts nothing. The triangle and balance terms are means of a
    /// micro-batch, and the batch's are means over micro-batches; outside training both are 0.
    /// </summary>
    /// <exception cref="ArgumentException">Rows of one token, or longer than the model reads.</exception>
    public override LossResult Loss(LossInput input)
    {
        long time = input.Labels_BT.size(1) - 1;
        if (time < 1)
        {
            throw new ArgumentException("a row of 1 token has no target. Allowed: at least 2.", nameof(input));
        }

        var training = input.Choices as MoaChoices;
        var pass = Pass(0) with
        {
            Training = training,
            Triangle = training is null ? null : new TriangleTerm(input.Made, learned: _config.TiWeight > 0),
            DropoutKey_2 = input.Made.GetValueOrDefault(DropoutKey),
        };
        var hidden_BTD = Normed(Trunk(input.Ids_BT.narrow(1, 0, time), pass, tape: input.Tape));
        var head = new HeadLoss(_embedding_VD, _compute);
        var labels_N = input.Labels_BT.narrow(1, 1, time).reshape(-1);
        var ce = head.Add(hidden_BTD.reshape(-1, _config.Dim), labels_N, 1.0 / Math.Max(1, input.Totals.Counts[0]));
        if (training is null)
        {
            return new LossResult(head.Total(), [new LossTerm("ce", ce, 1), new LossTerm("ti", zeros([], Dtype, Device), 0), new LossTerm("balance", zeros([], Dtype, Device), 0)]);
        }

        double share = 1.0 / input.Totals.MicroBatches;
        var weight = input.Made[TriangleWeight];
        var triangle = pass.Triangle!.Mean() * share;
        var balance = Balance(pass.Routes) * share;
        var total = _config.TiWeight > 0 ? head.Total() + (triangle * weight.to(triangle.dtype)) : head.Total();
        total = _config.RouterBalance > 0 ? total + (balance * _config.RouterBalance) : total;
        return new LossResult(total, [new LossTerm("ce", ce, 1), new LossTerm("ti", triangle.detach(), weight), new LossTerm("balance", balance.detach(), _config.RouterBalance)]);
    }

    public override Tensor Logits(Tensor ids_BT) => Head(Trunk(ids_BT, Pass(0)));

    /// <summary>Logits [B,T,V], and of each block its output [B,T,D] and its path weights ω [B,T,4].</summary>
    public (Tensor Logits_BTV, IReadOnlyList<Tensor> Blocks, IReadOnlyList<Tensor> Omegas) Inside(Tensor ids_BT)
    {
        var pass = Pass(0);
        var blocks = new List<Tensor>();
        return (Head(Trunk(ids_BT, pass, blocks)), blocks, pass.Omegas);
    }

    public override IDecodeSession StartDecode() => new CachedSession(this, (ids_BT, offset, past) => Head(Trunk(ids_BT, Pass(offset) with { Past = past })));

    private MoaPass Pass(long offset) => new(offset, _compute, _tables, Form, null);

    // 4·Σ_i (mean of p_i over tokens)², the mean over blocks: 1 for even use, 4 when one path takes all.
    private static Tensor Balance(IReadOnlyList<Tensor> routes) =>
        stack([.. routes.Select(p_BTI => p_BTI.mean([0, 1]).pow(2).sum())]).mean() * MoaConfig.Paths;

    private Tensor Trunk(Tensor ids_BT, MoaPass pass, List<Tensor>? hidden = null, BlockTape? tape = null)
    {
        Fits(pass.Offset + ids_BT.size(1));
        var x_BTD = Operators.Embedding(ids_BT, _embedding_VD);
        foreach (var (i, block) in _blocks.Index())
        {
            Tensor[] all = (tape ?? BlockTape.Off).Run((Tensor[])[x_BTD], inputs =>
            {
                var own = pass.In(i);
                return [block.Forward(inputs[0], own), .. own.Gathered];
            });
            x_BTD = all[0];
            pass.Gather(all[1..]);
            hidden?.Add(x_BTD);
        }

        return x_BTD;
    }

    private Tensor Normed(Tensor x_BTD) => Functions.RmsNorm(x_BTD, _finalNorm_D, MoaConfig.NormEps);

    private Tensor Head(Tensor x_BTD) => Functions.Linear(Normed(x_BTD), _embedding_VD, _compute);
}
