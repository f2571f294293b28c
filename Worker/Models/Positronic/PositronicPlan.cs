using static TorchSharp.torch;

namespace Hearth.Models.Positronic;

/// <summary>Tensors and costs of a Positronic model. The list is the same for every trait flag but <c>use_derf</c>.</summary>
internal sealed class PositronicPlan(PositronicConfig c) : ModelPlan
{
    public override int VocabSize => c.VocabSize;

    public override int MaxSeqLen => c.MaxSeqLen;

    public override DecodingFeatures Decoding => new(Drafts: c.UseMtp ? c.MtpHeads : 0, Memory: true);

    public override bool DataDependent => false;

    public override double LogitsPerToken => (1.0 + (c.UseMtp ? c.MtpHeads : 0)) * c.VocabSize;

    public override double MultiplyAdds(int seqLen)
    {
        // Every matrix once a token; of the routed experts only the chosen ones.
        double matrices = Tensors.Where(t => t.Group == ParameterGroup.Matrix).Sum(t => (double)t.Count) - Unused();
        double idle = c.UseMoe ? (c.MoeExperts - c.MoeTopK) * 3.0 * c.DModel * c.MoeHidden : 0;
        double refinement = c.UseHrm ? (c.HrmSteps - 1) * 3.0 * c.DModel * c.HrmDim : 0;
        int phaseSlots = c.UseRings ? c.NRing / 2 : 0;
        double pairs = (c.NLayer * ((double)c.NHead * c.HeadDim)) + (c.NLayer * (double)phaseSlots * c.PhaseDim);
        double euler = c.NLayer * c.OscSteps * 4.0 * c.Oscillators * c.NRing;
        return matrices - idle + refinement + (pairs * seqLen) + euler + LogitsPerTokenWeights;
    }

    // Thousands of small tensors a layer, of the rings, leave more of the allocator's blocks in pieces: the much of work.
    public override CardCosts CardCosts => new(new(1.49, 1770), new(2.85, 1860), new(1.86, 1840), new(3.38, 1660));

    public override ActivationCosts Activations
    {
        get
        {
            double euler = c.OscSteps * ((c.UseRingControllers ? 8.0 : 5.5) * c.Oscillators);
            double readOut = (4.0 * c.Oscillators) + (2.0 * c.ReadMult * 2 * c.Oscillators) + (3.0 * c.DModel);
            double attention = (6.0 * c.DModel) + (4.0 * c.NHead * c.HeadDim);
            double slots = c.UseRings ? 6.0 * c.Oscillators : 0;
            double scores = (1.5 * c.NHead) + (c.UseRings ? c.NRing / 2 * 1.5 * c.PhaseHeads : 0);
            var layer = new BlockCost(euler + readOut + attention + slots, scores);
            BlockCost[] further = [.. c.UseHrm ? [c.HrmSteps * 6.0 * c.DModel] : (double[])[], .. c.UseMoe ? [(1.0 + c.MoeTopK) * 5.0 * c.MoeHidden] : (double[])[]];
            double trace = c.UseRingControllers ? c.NRing * (4.0 + 16) : 0;
            return new([.. Enumerable.Repeat(layer, c.NLayer), .. further], c.DModel + trace, 10.0 * c.DModel);
        }
    }

    public override LanguageModel Build(ScalarType dtype, Device device, long? seed, ScalarType? compute = null) =>
        new PositronicModel(this, c, dtype, device, seed, compute ?? dtype);

    protected override void Declare(Weights weights) => _ = new PositronicParts(c, weights);

    private double LogitsPerTokenWeights => LogitsPerToken * c.DModel;

    // Matrices of the traits that are off.
    private double Unused() =>
        (c.UseRings ? 0 : c.NLayer * Enumerable.Range(0, c.NRing - 1).Sum(s => Matrices(w => _ = new RingSlot(c, s, w))))
        + (c.UseRingSpecialists ? 0 : c.NLayer * Matrices(w => _ = new RingSpecialists(c, w)))
        + (c.UseHrm ? 0 : Matrices(w => _ = new Reasoner(c, w)))
        + (c.UseMoe ? 0 : Matrices(w => _ = new SharedMoe(c, w)))
        + (c.UseMtp ? 0 : (double)c.MtpHeads * c.DModel * c.DModel)
        + (c.UseJepa ? 0 : Matrices(w => _ = new StatePredictor(c, w)));

    private static double Matrices(Action<Weights> declare) =>
        Weights.Noted(declare).Where(t => t.Group == ParameterGroup.Matrix).Sum(t => (double)t.Count);
}

/// <summary>The modules of a Positronic model, in the order of its parameters; a trait that is off has its parameters all the same.</summary>
internal sealed class PositronicParts(PositronicConfig config, Weights w)
{
    internal Tensor Embedding_VD { get; } = w.Table("tok_emb", config.VocabSize, config.DModel);

    internal Tensor Scale { get; } = w.Vector("logit_scale", Init.Ones, 1);

    internal Tensor FinalNorm_D { get; } = w.Norm("final_norm", config.DModel);

    internal PositronicBlock[] Layers { get; } = [.. Enumerable.Range(0, config.NLayer).Select(l => new PositronicBlock(config, w.Under($"layers.{l}")))];

    internal RingControllers Controllers { get; } = new(config.NRing, w.Under("controller"));

    internal Reasoner Reasoner { get; } = new(config, w.Under("hrm"));

    internal SharedMoe Moe { get; } = new(config, w.Under("moe"));

    /// <summary>Projections of the heads for further tokens.</summary>
    internal Tensor[] Mtp { get; } = [.. Enumerable.Range(1, config.MtpHeads).Select(k => w.Matrix($"mtp.{k}", config.DModel, config.DModel, Init.Zeros))];

    internal StatePredictor Jepa { get; } = new(config, w.Under("jepa"));
}
