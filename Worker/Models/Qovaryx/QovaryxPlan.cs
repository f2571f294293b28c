using Hearth.Models.Blocks;
using TorchSharp;

namespace Hearth.Models.Qovaryx;

/// <summary>A checked config as a tree of blocks.</summary>
internal sealed class QovaryxPlan(QovaryxConfig config) : ModelPlan
{
    private readonly DecoderConfig _decoder = Expand(config);

    public override int VocabSize => config.VocabSize;

    public override int MaxSeqLen => config.MaxSeqLen;

    public override DecodingFeatures Decoding => new(Drafts: Math.Max(0, config.MtpK - 1));

    public override int DocumentMasks => config.MtpKind == "block" ? config.MtpK : 1;

    /// <summary>Capacities of experts, places of decisions and images are read on the host.</summary>
    public override bool DataDependent => _decoder is not { Routers: null, Decision: null, Patches: null };

    public override double LogitsPerToken => (double)config.MtpK * config.VocabSize;

    public override double MultiplyAdds(int seqLen) => _decoder.MultiplyAdds(seqLen);

    public override CardCosts CardCosts => new(new(1.51, 570), new(2.8, 80), new(2.78, 440), new(3.17, 380));

    public override ActivationCosts Activations => _decoder.Activations;

    public override string? MastersNeeded => config switch
    {
        { FfnKind: "ternary_swiglu" } => "ternary weights turn over in steps that bf16 does not hold",
        { ChartPatchEncoderEnabled: true } => "the patch encoder computes in fp32",
        _ => null,
    };

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long? seed, torch.ScalarType? compute = null) =>
        new Decoder(this, _decoder, dtype, device, seed, compute ?? dtype);

    protected override void Declare(Weights weights) => _ = new DecoderParts(_decoder, weights);

    private static DecoderConfig Expand(QovaryxConfig c)
    {
        double outScale = 1 / Math.Sqrt(2.0 * c.NLayer);
        var layer = new LayerConfig(
            c.DModel,
            c.NormEps,
            new GqaAttentionConfig(c.DModel, c.NHead, c.NKvHead, c.RopeTheta, c.QkNorm, c.NormEps, outScale),
            FeedForward(c, outScale));
        var mtp = new MtpConfig(c.MtpK, c.MtpWeight, c.NormEps, c.MtpKind == "block" ? layer : null);
        return new DecoderConfig(c.VocabSize, c.DModel, [.. Enumerable.Repeat(layer, c.NLayer)], c.TieEmbeddings, c.NormEps, mtp)
        {
            Routers = c.FfnKind == "routed_lowrank_swiglu" ? new RouterWeights(c.LbWeight, c.RouterZWeight) : null,
            RoundsInputs = c is { FfnKind: "ternary_swiglu", ActQuant: true },
            Decision = c.DecisionHeadEnabled
                ? new DecisionHeadConfig(c.DModel, c.NormEps, c.DecisionWeight, c.ClassWeightedDecision, c.CalibrationLossWeight)
                : null,
            Patches = c.ChartPatchEncoderEnabled ? new PatchEncoderConfig(c.DModel, c.NormEps) : null,
        };
    }

    private static FeedForwardConfig FeedForward(QovaryxConfig c, double outScale)
    {
        var dense = new SwiGluConfig(c.DModel, c.DFf, outScale);
        var low = new LowRankSwiGluConfig(c.DModel, c.DFf, c.FfnRank, outScale);
        return c.FfnKind switch
        {
            "ternary_swiglu" => new TernarySwiGluConfig(dense, c.NormEps, c.ActQuant),
            "lowrank_swiglu" => low,
            "routed_lowrank_swiglu" => new RoutedFeedForwardConfig(low, c.DModel, c.FfnExperts, c.FfnTopK, c.CapacityFactor),
            _ => dense,
        };
    }
}
