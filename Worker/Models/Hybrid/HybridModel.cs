using Hearth.Models.Blocks;
using Hearth.Models.Decoding;
using static TorchSharp.torch;

// B batch, T time, D model width, V vocabulary, N rows.
namespace Hearth.Models.Hybrid;

/// <summary>The model that a <see cref="HybridConfig"/> describes: embedding, layers, weight-free norm, tied head with softcap.</summary>
public sealed class HybridModel : LanguageModel
{
    private readonly HybridConfig _config;
    private readonly ScalarType _compute;
    private readonly RopeTables _rope;
    private readonly HybridEmbedding _embedding;
    private readonly HybridLayer[] _layers;
    private readonly Tensor _head_VD;

    internal HybridModel(HybridPlan plan, ScalarType dtype, Device device, long? seed, ScalarType compute)
        : base(plan, dtype, device, seed, compute)
    {
        _config = plan.Shape;
        _compute = compute;
        _rope = new RopeTables(dtype, device);
        var parts = new HybridParts(_config, Declared);
        (_embedding, _layers, _head_VD) = (parts.Embedding, parts.Layers, parts.Embedding.Head_VD);
    }

    public override IReadOnlyList<string> Terms { get; } = ["ce"];

    public override LossTotals Count(ReadOnlySpan<int> labels, int rowLength)
    {
        long counted = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            counted += i % rowLength > 0 && labels[i] >= 0 ? 1 : 0;
        }

        return new LossTotals([counted]);
    }

    public override StepChoices Choose(TrainingStep step) => new HybridChoices(step.Quantize);

    /// <exception cref="ArgumentException">Rows of one token: there is nothing to predict.</exception>
    public override LossResult Loss(LossInput input)
    {
        var (ids_BT, labels_BT, totals) = input;
        long targets = labels_BT.size(1) - 1;
        if (targets < 1)
        {
            throw new ArgumentException($"a row of {ids_BT.size(1)} token has no target. Allowed: at least 2.", nameof(input));
        }

        // The last column only has a target in another row; shifting, windows and the rest look back, so it may be left out.
        double? kappa = input.Choices is HybridChoices { Quantized: true } ? _config.QuantKappa : null;
        var rows_ND = Trunk(ids_BT.narrow(1, 0, targets), Context(0, kappa), input.Tape).Last().reshape(-1, _config.DModel);
        var loss = new HeadLoss(_head_VD, _compute, _config.LogitSoftcap);
        var sum = loss.Add(rows_ND, labels_BT.narrow(1, 1, targets).reshape(-1), 1.0 / Math.Max(1, totals.Counts[0]));
        return new LossResult(loss.Total(), [new LossTerm("ce", sum, 1)]);
    }

    public override Tensor Logits(Tensor ids_BT) => Logits(ids_BT, Context(0, null));

    /// <summary>The residual stream [B,T,D] before the first layer and after each.</summary>
    public IReadOnlyList<Tensor> Stream(Tensor ids_BT) => [.. Trunk(ids_BT, Context(0, null)).SkipLast(1)];

    public override IDecodeSession StartDecode() => new CachedSession(this, (ids_BT, offset, past) => Logits(ids_BT, Context(offset, null) with { Past = past }));

    private Tensor Logits(Tensor ids_BT, HybridContext context) => Head(Trunk(ids_BT, context).Last());

    /// <summary>The residual stream before the first layer and after each, then the head's normed input; all [B,T,D].</summary>
    private IEnumerable<Tensor> Trunk(Tensor ids_BT, HybridContext context, BlockTape? tape = null)
    {
        var first_BTD = _embedding.Forward(ids_BT, context);
        var values_BTE = _embedding.Values(ids_BT, context);
        var x_BTD = first_BTD;
        yield return x_BTD;
        foreach (var layer in _layers)
        {
            x_BTD = (tape ?? BlockTape.Off).Run(
                [x_BTD, first_BTD, values_BTE],
                inputs => [layer.Forward(inputs[0], inputs[1], context with { Values_BTE = inputs[2] })])[0];
            yield return x_BTD;
        }

        yield return Functions.RmsNorm(x_BTD, _config.NormEps);
    }

    private Tensor Head(Tensor normed_BTD) => Functions.Softcap(Functions.Linear(normed_BTD, _head_VD, _compute), _config.LogitSoftcap);

    private HybridContext Context(long offset, double? kappa) => new(offset, _compute, _rope, kappa);

    /// <param name="Quantized">Whether matrix products take quantised weights.</param>
    private sealed record HybridChoices(bool Quantized) : StepChoices;
}
