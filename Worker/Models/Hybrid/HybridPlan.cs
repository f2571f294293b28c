using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Models.Hybrid;

/// <summary>Tensors and costs of a Hybrid model.</summary>
public sealed class HybridPlan : ModelPlan
{
    internal HybridPlan(HybridConfig config) => Shape = config;

    /// <summary>The checked config.</summary>
    public HybridConfig Shape { get; }

    public override int VocabSize => Shape.VocabSize;

    public override int MaxSeqLen => Shape.MaxSeqLen;

    public override bool Quantizes => true;

    public override bool DataDependent => false;

    public override double LogitsPerToken => Shape.VocabSize;

    // The softcap keeps the bent logits beside the three copies.
    public override double LogitValues(double tokens) =>
        (4 * Math.Min(tokens, HeadLoss.SliceRows) * VocabSize) + ((double)VocabSize * Shape.DModel);

    public override double MultiplyAdds(int seqLen) =>
        Enumerable.Range(0, Shape.NLayer).Sum(i => LayerMultiplyAdds(i, seqLen))
        + ((double)Shape.DModel * Shape.BigramDim) + ((double)Shape.KvDim * Shape.VeDim) + ((double)Shape.VocabSize * Shape.DModel);

    public override CardCosts CardCosts => new(new(2.88, 275), new(5.65, 80), new(3.32, 105), new(5.75, 160));

    public override ActivationCosts Activations => new(
        [.. Enumerable.Range(0, Shape.NLayer).Select(LayerActivations)],
        Shape.DModel,
        (6.0 * Shape.DModel) + Shape.KvDim + Shape.BigramDim + Shape.VeDim);

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long? seed, torch.ScalarType? compute = null) =>
        new HybridModel(this, dtype, device, seed, compute ?? dtype);

    protected override void Declare(Weights weights) => _ = new HybridParts(Shape, weights);

    private double LayerMultiplyAdds(int layer, int seqLen)
    {
        double dim = Shape.DModel, mlp = 2 * dim * Shape.Hidden;
        return Shape.Attends(layer)
            ? mlp + (2 * dim * dim) + (2 * dim * Shape.KvDim) + (2 * dim * Keys(layer, seqLen))
            : mlp + (3 * dim * dim);
    }

    private double LayerActivations(int layer)
    {
        // Residual stream and its two norms, the feed-forward network's hidden values and squares, then the mixer's own.
        double dim = Shape.DModel, common = (10 * dim) + (4.0 * Shape.Hidden);
        return Shape.Attends(layer)
            ? common + (10 * dim) + (6.0 * Shape.KvDim)
            : common + (12 * dim);
    }

    // Keys per row on average: half of the text, or two blocks of the window's length.
    private double Keys(int layer, int seqLen) => Math.Min(seqLen / 2.0, 2.0 * (Shape.WindowOf(layer) ?? seqLen));
}

/// <summary>The modules of a Hybrid model, in the order of its parameters.</summary>
internal sealed class HybridParts(HybridConfig config, Weights w)
{
    internal HybridEmbedding Embedding { get; } = new(config, w);

    internal HybridLayer[] Layers { get; } = MakeLayers(config, config.VeLayers.ToDictionary(i => i, i => w.Decayed($"ve.scale.{i}", Init.Constant(0.1), 1)), w);

    private static HybridLayer[] MakeLayers(HybridConfig config, Dictionary<int, Tensor> valueScales, Weights w) =>
        [.. Enumerable.Range(0, config.NLayer).Select(i => new HybridLayer(config, i, valueScales.GetValueOrDefault(i), w.Under($"blocks.{i}")))];
}

/// <summary>The original's optimizer decays both groups that Adam takes.</summary>
internal static class HybridWeights
{
    internal static Tensor Table(this Weights w, string name, long rows, long columns, Init init) =>
        w.Take(new TensorSpec(name, [rows, columns], ParameterGroup.Embed, init) { Decays = true });

    internal static Tensor Decayed(this Weights w, string name, Init init, params long[] shape) =>
        w.Take(new TensorSpec(name, shape, ParameterGroup.Vector, init) { Decays = true });
}
