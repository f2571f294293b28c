using TorchSharp;

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

    public override double LogitsPerToken => Shape.VocabSize;

    // The softcap keeps the bent logits beside the three copies.
    public override double LogitValues(double tokens) =>
        (4 * Math.Min(tokens, HeadLoss.SliceRows) * VocabSize) + ((double)VocabSize * Shape.DModel);

    public override double MultiplyAdds(int seqLen) =>
        Enumerable.Range(0, Shape.NLayer).Sum(i => LayerMultiplyAdds(i, seqLen))
        + ((double)Shape.DModel * Shape.BigramDim) + ((double)Shape.KvDim * Shape.VeDim) + ((double)Shape.VocabSize * Shape.DModel);

    public override ActivationCosts Activations(int seqLen) => new(
        [.. Enumerable.Range(0, Shape.NLayer).Select(i => LayerActivations(i, seqLen))],
        Shape.DModel,
        (6.0 * Shape.DModel) + Shape.KvDim + Shape.BigramDim + Shape.VeDim);

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long seed, torch.ScalarType? compute = null) =>
        new HybridModel(this, dtype, device, seed, compute ?? dtype);

    protected override IEnumerable<TensorSpec> ListTensors() => HybridTensors.Of(Shape);

    private double LayerMultiplyAdds(int layer, int seqLen)
    {
        double dim = Shape.DModel, mlp = 2 * dim * Shape.Hidden;
        return Shape.Attends(layer)
            ? mlp + (2 * dim * dim) + (2 * dim * Shape.KvDim) + (2 * dim * Keys(layer, seqLen))
            : mlp + (3 * dim * dim);
    }

    private double LayerActivations(int layer, int seqLen)
    {
        // Residual stream and its two norms, the feed-forward network's hidden values and squares, then the mixer's own.
        double dim = Shape.DModel, common = (10 * dim) + (4.0 * Shape.Hidden);
        return Shape.Attends(layer)
            ? common + (10 * dim) + (6.0 * Shape.KvDim) + (3.0 * Shape.NHead * 2 * Keys(layer, seqLen))
            : common + (12 * dim);
    }

    // Keys per row on average: half of the text, or two blocks of the window's length.
    private double Keys(int layer, int seqLen) => Math.Min(seqLen / 2.0, 2.0 * (Shape.WindowOf(layer) ?? seqLen));
}

/// <summary>The parameters in the calculator's order, with the starts of the original's initialiser.</summary>
internal static class HybridTensors
{
    internal static IEnumerable<TensorSpec> Of(HybridConfig c)
    {
        yield return Table("tok_emb", c.VocabSize, c.DModel, Init.Normal(0.005));
        yield return Table("bigram.embed", c.BigramVocab, c.BigramDim, Init.Zeros);
        yield return Matrix("bigram.proj", c.DModel, c.BigramDim, Init.Orthogonal(1 / Math.Sqrt(2.0 * c.NLayer)));
        yield return Vector("bigram.scale", 1, 0.05);
        yield return Vector("smear.gate", c.DModel, 0);
        yield return Table("ve.embed", c.VocabSize, c.VeDim, Init.Normal(0.02));
        yield return Matrix("ve.proj", c.KvDim, c.VeDim, Init.Orthogonal());
        foreach (int layer in c.VeLayers)
        {
            yield return Vector($"ve.scale.{layer}", 1, 0.1);
        }

        for (int i = 0; i < c.NLayer; i++)
        {
            foreach (var tensor in (c.Attends(i) ? Attention(c, $"blocks.{i}") : Shift(c, $"blocks.{i}")).Concat(Rest(c, $"blocks.{i}")))
            {
                yield return tensor;
            }
        }
    }

    private static IEnumerable<TensorSpec> Shift(HybridConfig c, string prefix) =>
    [
        Vector(prefix + ".mix_r", c.DModel, 0.5),
        Vector(prefix + ".mix_k", c.DModel, 0.5),
        Matrix(prefix + ".W_r", c.DModel, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".W_k", c.DModel, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".W_v", c.DModel, c.DModel, Init.Zeros),
    ];

    private static IEnumerable<TensorSpec> Attention(HybridConfig c, string prefix) =>
    [
        Matrix(prefix + ".q", c.DModel, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".k", c.KvDim, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".v", c.KvDim, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".proj", c.DModel, c.DModel, Init.Zeros),
        Vector(prefix + ".q_gain", c.NHead, c.QkGainInit),
    ];

    private static IEnumerable<TensorSpec> Rest(HybridConfig c, string prefix) =>
    [
        Matrix(prefix + ".fc", c.Hidden, c.DModel, Init.Orthogonal()),
        Matrix(prefix + ".mlp_proj", c.DModel, c.Hidden, Init.Zeros),
        Vector(prefix + ".attn_scale", c.DModel, 1),
        Vector(prefix + ".mlp_scale", c.DModel, 1),
        new(prefix + ".resid_mix", [2, c.DModel], ParameterGroup.Vector, Init.FirstRow) { Decays = true },
    ];

    // Adam's decay covers both of its groups, and Muon takes every matrix however small.
    private static TensorSpec Matrix(string name, long rows, long columns, Init init) =>
        TensorSpec.Matrix(name, rows, columns, init) with { MuonRows = [rows] };

    private static TensorSpec Table(string name, long rows, long columns, Init init) =>
        new(name, [rows, columns], ParameterGroup.Embed, init) { Decays = true };

    private static TensorSpec Vector(string name, long width, double start) =>
        new(name, [width], ParameterGroup.Vector, Init.Constant(start)) { Decays = true };
}
