using static TorchSharp.torch;

namespace Hearth.Models.Positronic;

/// <summary>Tensors and costs of a Positronic model. The list is the same for every trait flag but <c>use_derf</c>.</summary>
internal sealed class PositronicPlan(PositronicConfig c) : ModelPlan
{
    /// <summary>atanh 0.9: the value at which a gate of the main mixer and of the refinement starts open.</summary>
    private static readonly double OpenGate = Math.Atanh(0.9);

    private static readonly Init Small = Init.Normal(0.02);

    public override int VocabSize => c.VocabSize;

    public override int MaxSeqLen => c.MaxSeqLen;

    public override DecodingFeatures Decoding => new(Drafts: c.UseMtp ? c.MtpHeads : 0, Memory: true);

    public override double LogitsPerToken => (1.0 + (c.UseMtp ? c.MtpHeads : 0)) * c.VocabSize;

    public override double MultiplyAdds(int seqLen)
    {
        // Every matrix once a token; of the routed experts only the chosen ones.
        double matrices = Tensors.Where(t => t.Group == ParameterGroup.Matrix && Used(t.Name)).Sum(t => (double)t.Count);
        double idle = c.UseMoe ? (c.MoeExperts - c.MoeTopK) * 3.0 * c.DModel * c.MoeHidden : 0;
        double refinement = c.UseHrm ? (c.HrmSteps - 1) * 3.0 * c.DModel * c.HrmDim : 0;
        int phaseSlots = c.UseRings ? c.NRing / 2 : 0;
        double pairs = (c.NLayer * ((double)c.NHead * c.HeadDim)) + (c.NLayer * (double)phaseSlots * c.PhaseDim);
        double euler = c.NLayer * c.OscSteps * 4.0 * c.Oscillators * c.NRing;
        return matrices - idle + refinement + (pairs * seqLen) + euler + LogitsPerTokenWeights;
    }

    public override ActivationCosts Activations(int seqLen)
    {
        double euler = c.OscSteps * ((c.UseRingControllers ? 8.0 : 5.5) * c.Oscillators);
        double readOut = (4.0 * c.Oscillators) + (2.0 * c.ReadMult * 2 * c.Oscillators) + (3.0 * c.DModel);
        double attention = (6.0 * c.DModel) + (4.0 * c.NHead * c.HeadDim) + (2.5 * c.NHead * seqLen);
        double slots = c.UseRings ? (6.0 * c.Oscillators) + (c.NRing / 2 * 2.5 * c.PhaseHeads * seqLen) : 0;
        double[] further = [.. c.UseHrm ? [c.HrmSteps * 6.0 * c.DModel] : (double[])[], .. c.UseMoe ? [(1.0 + c.MoeTopK) * 5.0 * c.MoeHidden] : (double[])[]];
        double trace = c.UseRingControllers ? c.NRing * (4.0 + 16) : 0;
        return new([.. Enumerable.Repeat(euler + readOut + attention + slots, c.NLayer), .. further], c.DModel + trace, 6.0 * c.DModel);
    }

    public override LanguageModel Build(ScalarType dtype, Device device, long seed, ScalarType? compute = null) =>
        new PositronicModel(this, c, dtype, device, seed, compute ?? dtype);

    protected override IEnumerable<TensorSpec> ListTensors() =>
    [
        Table("tok_emb", c.VocabSize, c.DModel),
        Vector("logit_scale", Init.Ones, 1),
        TensorSpec.Norm("final_norm", c.DModel),
        .. Enumerable.Range(0, c.NLayer).SelectMany(l => Layer($"layers.{l}")),
        .. Enumerable.Range(0, c.NRing).Select(r => Vector($"controller.{r}.decode", Init.Zeros, RingControllers.Outputs, RingControllers.Inputs)),
        Vector("hrm.z0", Small, c.DModel),
        TensorSpec.Norm("hrm.norm", c.DModel),
        Muon("hrm.down", c.HrmDim, 2 * c.DModel, Small),
        Muon("hrm.up", c.DModel, c.HrmDim, Init.Zeros),
        Vector("hrm.gate", Init.Constant(OpenGate), c.HrmSteps),
        TensorSpec.Norm("moe.norm", c.DModel),
        Vector("moe.router", Small, c.MoeExperts, c.DModel),
        .. Expert("moe.shared"),
        .. Enumerable.Range(0, c.MoeExperts).SelectMany(e => Expert($"moe.expert{e}")),
        .. Enumerable.Range(1, c.MtpHeads).Select(k => Muon($"mtp.{k}", c.DModel, c.DModel, Init.Zeros)),
        TensorSpec.Norm("jepa.norm", c.DModel),
        Muon("jepa.fc1", c.JepaDim, c.DModel, Small),
        Muon("jepa.fc2", c.DModel, c.JepaDim, Small),
    ];

    private double LogitsPerTokenWeights => LogitsPerToken * c.DModel;

    private IEnumerable<TensorSpec> Layer(string prefix) =>
    [
        TensorSpec.Norm($"{prefix}.norm1", c.DModel),
        .. Attention($"{prefix}.attn"),
        TensorSpec.Norm($"{prefix}.norm2", c.DModel),
        .. Oscillator($"{prefix}.osc"),
        .. Enumerable.Range(0, c.NRing - 1).SelectMany(s => s % 2 == 0 ? PhaseSlot($"{prefix}.slot{s}", s) : EngramSlot($"{prefix}.slot{s}", s)),
        .. Enumerable.Range(0, c.NRing).SelectMany(r => Specialist($"{prefix}.spec{r}", c.Rings[r])),
    ];

    private IEnumerable<TensorSpec> Attention(string prefix) =>
    [
        Muon($"{prefix}.q_a", c.QRank, c.DModel, Small),
        TensorSpec.Norm($"{prefix}.q_a_norm", c.QRank),
        Muon($"{prefix}.q_b", c.NHead * c.HeadDim, c.QRank, Small),
        Muon($"{prefix}.k", c.NKvHead * c.HeadDim, c.DModel, Small),
        Muon($"{prefix}.v", c.NKvHead * c.HeadDim, c.DModel, Small),
        TensorSpec.Norm($"{prefix}.q_norm", c.HeadDim),
        TensorSpec.Norm($"{prefix}.k_norm", c.HeadDim),
        Muon($"{prefix}.o_a", c.ORank, c.NHead * c.HeadDim, Small),
        Muon($"{prefix}.o_b", c.DModel, c.ORank, Small),
        .. c.UseDerf
            ? [Vector($"{prefix}.derf_alpha", Init.Ones, c.NHead), Vector($"{prefix}.derf_beta", Init.Zeros, c.NHead), Vector($"{prefix}.derf_gamma", Init.Ones, c.NHead)]
            : Array.Empty<TensorSpec>(),
    ];

    private IEnumerable<TensorSpec> Oscillator(string prefix) =>
    [
        Muon($"{prefix}.theta", c.Oscillators, c.DModel, Init.Normal(0.05)),
        Muon($"{prefix}.omega", c.Oscillators, c.DModel, Small),

        // The model writes the bands of K: no single number says them.
        Vector($"{prefix}.K", Init.Zeros, c.NRing, c.NRing),
        Vector($"{prefix}.alpha", Init.Zeros, c.NRing),
        Vector($"{prefix}.center_phase", Init.Zeros, 1),
        Vector($"{prefix}.center_omega", Init.Constant(0.5), 1),
        Vector($"{prefix}.center_gain", Init.Constant(0.1), c.NRing),
        Muon($"{prefix}.read1", c.ReadMult * 2 * c.Oscillators, 2 * c.Oscillators, Small),
        Muon($"{prefix}.read2", c.DModel, c.ReadMult * 2 * c.Oscillators, Init.Normal(0.02 / Math.Sqrt(2.0 * c.NLayer))),
        Vector($"{prefix}.gate", Init.Constant(OpenGate), 1),
        Gate($"{prefix}.fractal_gate"),
    ];

    private IEnumerable<TensorSpec> PhaseSlot(string prefix, int slot)
    {
        int pair = c.Rings[slot] + c.Rings[slot + 1];
        return
        [
            Muon($"{prefix}.q", c.PhaseDim, 2 * pair, FanIn(2 * pair)),
            Muon($"{prefix}.k", c.PhaseDim, 2 * pair, FanIn(2 * pair)),
            Muon($"{prefix}.v", c.PhaseDim, 2 * pair, FanIn(2 * pair)),
            Muon($"{prefix}.o", pair, c.PhaseDim, FanIn(c.PhaseDim)),
            Gate($"{prefix}.gate"),
        ];
    }

    private IEnumerable<TensorSpec> EngramSlot(string prefix, int slot)
    {
        int width = c.EngramTables * c.EngramDim;
        return
        [
            Table($"{prefix}.tables", c.EngramTables, c.EngramTable, c.EngramDim),
            Muon($"{prefix}.proj", c.Rings[slot] + c.Rings[slot + 1], width, FanIn(width)),
            Vector($"{prefix}.ctx", Small, 1, c.DModel),
            Vector($"{prefix}.derf_a", Init.Ones, 1),
            Vector($"{prefix}.derf_b", Init.Constant(-1), 1),
            Gate($"{prefix}.gate"),
        ];
    }

    private IEnumerable<TensorSpec> Specialist(string prefix, int ring) =>
    [
        Muon($"{prefix}.query", c.SpecDim, c.DModel, Small),
        Muon($"{prefix}.content", c.SpecDim, c.DModel, Small),
        Vector($"{prefix}.write_gate", Init.Zeros, 1, c.DModel),
        Vector($"{prefix}.keys", Init.Normal(1), c.SpecPerRing, c.SpecDim),
        Muon($"{prefix}.decode", ring, c.SpecDim, FanIn(c.SpecDim)),
        Gate($"{prefix}.scale"),
    ];

    private IEnumerable<TensorSpec> Expert(string prefix) =>
    [
        Muon($"{prefix}.gate", c.MoeHidden, c.DModel, Small),
        Muon($"{prefix}.up", c.MoeHidden, c.DModel, Small),
        Muon($"{prefix}.down", c.DModel, c.MoeHidden, Init.Zeros),
    ];

    private bool Used(string name) => name switch
    {
        _ when name.StartsWith("hrm.", StringComparison.Ordinal) => c.UseHrm,
        _ when name.StartsWith("moe.", StringComparison.Ordinal) => c.UseMoe,
        _ when name.StartsWith("mtp.", StringComparison.Ordinal) => c.UseMtp,
        _ when name.StartsWith("jepa.", StringComparison.Ordinal) => c.UseJepa,
        _ when name.Contains(".slot", StringComparison.Ordinal) => c.UseRings,
        _ when name.Contains(".spec", StringComparison.Ordinal) => c.UseRingSpecialists,
        _ => true,
    };

    // Muon takes every one of them, whatever its sides.
    private static TensorSpec Muon(string name, long rows, long columns, Init init) =>
        TensorSpec.Matrix(name, rows, columns, init) with { MuonRows = [rows] };

    // A batch touches few of their rows; the others keep weights and moments.
    private static TensorSpec Table(string name, params long[] shape) => new(name, shape, ParameterGroup.Embed, Small) { SkipsEmptyRows = true };

    private static TensorSpec Vector(string name, Init init, params long[] shape) => new(name, shape, ParameterGroup.Vector, init);

    private static TensorSpec Gate(string name) => Vector(name, Init.Zeros, 1);

    private static Init FanIn(int columns) => Init.Normal(1 / Math.Sqrt(columns));
}
