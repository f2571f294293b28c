using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Models.Vuaf;

/// <summary>A checked VUAF model: its tensors under the published names, and what R passes over the stack cost.</summary>
internal sealed class VuafPlan(VuafConfig config) : ModelPlan
{
    private readonly VuafLayerConfig[] _layers = [.. Enumerable.Range(0, config.NLayers).Select(i => Layer(config, i))];

    internal VuafConfig Fields => config;

    internal IReadOnlyList<VuafLayerConfig> Layers => _layers;

    public override int VocabSize => config.VocabSize;

    public override int MaxSeqLen => config.MaxSeqLen;

    public override DecodingFeatures Decoding => new(Loops: config.LoopSteps, TopPReaches: false);

    /// <summary>Of the loop's training; that of the halt head alone is not shown to be equal work.</summary>
    public override bool DataDependent => config.HaltOnly;

    public override double LogitsPerToken => (double)config.LoopSteps * config.VocabSize;

    public override double MultiplyAdds(int seqLen) =>
        config.LoopSteps * (_layers.Sum(l => l.MultiplyAdds(seqLen)) + ((double)config.VocabSize * config.DModel) + config.DModel);

    public override CardCosts CardCosts => new(new(3.12, 240), new(3.29, 440), new(3.94, 380), new(4.06, 515));

    public override ActivationCosts Activations => new(
        [.. Enumerable.Repeat(_layers, config.LoopSteps).SelectMany(step => step).Select(l => l.Activations)],
        config.DModel,
        config.DModel * (1 + (3.0 * config.LoopSteps)));

    public override LanguageModel Build(torch.ScalarType dtype, torch.Device device, long? seed, torch.ScalarType? compute = null) =>
        new VuafModel(this, dtype, device, seed, compute ?? dtype);

    protected override void Declare(Weights weights) => _ = new VuafParts(this, weights);

    private static VuafLayerConfig Layer(VuafConfig c, int index) => new(
        c.DModel,
        c.TokenMixPattern![index] switch
        {
            VuafConfig.Rwkv => new RwkvMixerConfig(c.DModel, c.RwkvHeadDim, c.RwkvLowrank, c.SequenceNorm, c.DecayInit == "spread"),
            VuafConfig.Mamba => new MambaMixerConfig(c.DModel, c.MambaExpand * c.DModel, c.MambaDHead, c.MambaDState, c.MambaChunkSize, c.SequenceNorm),
            _ => new VuafAttentionConfig(c.DModel, c.AttnHeadDim, c.AttnRopeBase),
        },
        c.ChannelMixPattern![index] == VuafConfig.Moe
            ? new VuafMoeConfig(c.DModel, c.FfnHidden, c.MoeNExperts, c.MoeTopK)
            : new VuafSwiGluConfig(c.DModel, c.FfnHidden));
}

/// <summary>The modules of a VUAF model, in the order of its parameters.</summary>
internal sealed class VuafParts(VuafPlan plan, Weights w)
{
    internal Tensor Embedding_VD { get; } = w.Take(new TensorSpec("embed.weight", [plan.Fields.VocabSize, plan.Fields.DModel], ParameterGroup.Embed, Init.Normal(0.02)));

    internal VuafLayer[] Layers { get; } = [.. plan.Layers.Select((layer, i) => new VuafLayer(layer, w.Under($"blocks.{i}")))];

    internal Tensor FinalNorm_D { get; } = w.Norm("final_norm.weight", plan.Fields.DModel);

    internal Tensor HaltWeight_1D { get; } = w.Factor("halt_head.proj.weight", 1, plan.Fields.DModel, Init.Zeros);

    internal Tensor HaltBias_1 { get; } = w.Vector("halt_head.proj.bias", Init.Constant(plan.Fields.HaltInitBias), 1);
}
