using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Models.Moa;

/// <summary>Parameters and costs of one MoA-Metric model.</summary>
internal sealed class MoaPlan(MoaConfig config) : ModelPlan
{
    public override int VocabSize => config.VocabSize;

    public override DecodingFeatures Decoding => new(MostTemperature: 2);

    public override int MaxSeqLen => config.MaxPositionEmbeddings;

    public override bool DataDependent => false;

    public override double LogitsPerToken => config.VocabSize;

    public override double MultiplyAdds(int seqLen)
    {
        double d = config.Dim, head = config.HeadDim;
        double router = (d * config.RouterHidden) + (MoaConfig.Paths * (config.RouterHidden + d + d));
        double convolutions = (3 * d * d) + (2 * d * config.ConvKernel) + (d * d);
        double attention = (4 * d * d) + (3 * d * config.VprojHidden) + (2 * d * d) + (2 * d * head);
        double mixers = (2 * d * config.MixerHidden) + (3 * d * config.FfnHidden) + (3 * d * config.LrRank) + (MoaConfig.Branches * d);

        // Scores and sums of both attention paths: half of seq_len keys on average, d per key, twice each.
        return (config.NumLayers * (router + convolutions + attention + mixers + (2 * d * seqLen))) + (d * config.VocabSize);
    }

    public override CardCosts CardCosts => new(new(2.41, 505), new(3.69, 230), new(2.98, 620), new(3.74, 180));

    public override ActivationCosts Activations
    {
        get
        {
            double d = config.Dim;
            double router = (4 * config.RouterHidden) + (12 * MoaConfig.Paths);
            double convolutions = 16 * d;
            // Both paths; neither keeps its scores.
            double attention = (44 * d) + (5 * config.VprojHidden);
            double mixers = (2 * config.MixerHidden) + (4 * config.FfnHidden) + (5 * config.LrRank);
            double blend = 14 * d;
            return new([.. Enumerable.Repeat(router + convolutions + attention + mixers + blend, config.NumLayers)], d, 5 * d);
        }
    }

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long? seed, torch.ScalarType? compute = null) =>
        new MoaModel(this, config, dtype, device, seed, compute ?? dtype);

    protected override void Declare(Weights weights) => _ = new MoaParts(config, weights);
}

/// <summary>The modules of a MoA-Metric model, in the order of its parameters.</summary>
internal sealed class MoaParts(MoaConfig config, Weights w)
{
    internal Tensor Embedding_VD { get; } = w.Take(new TensorSpec("tok_emb", [config.VocabSize, config.Dim], ParameterGroup.Embed, MoaInit.Matrix));

    internal MoaBlock[] Blocks { get; } = [.. Enumerable.Range(0, config.NumLayers).Select(i => new MoaBlock(config, w.Under($"blocks.{i}")))];

    internal Tensor FinalNorm_D { get; } = w.Norm("final_norm", config.Dim);
}
