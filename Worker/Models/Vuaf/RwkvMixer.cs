using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, H heads, N head width.
namespace Hearth.Models.Vuaf;

/// <summary>
/// RWKV-7 (Peng et al., arXiv 2503.14456) as VUAF has it: token shift, vector decay and a scalar in-context rate per head from
/// low-rank maps of the unshifted input, removal that reads the decayed state, a sigmoid gate; no value residual, no bonus.
/// </summary>
/// <param name="SequenceNorm">Heads are normed over the channels and all positions together, which is not causal.</param>
/// <param name="SpreadDecay">Start with memories of 2 to 512 tokens instead of w = 0.5.</param>
internal sealed record RwkvMixerConfig(int Dim, int HeadDim, int LowRank, bool SequenceNorm, bool SpreadDecay) : VuafMixerConfig
{
    private const double LeastMemory = 2, LongestMemory = 512;

    public int Heads => Dim / HeadDim;

    public override double MultiplyAdds(int seqLen) =>
        (6.0 * Dim * Dim) + (3.0 * LowRank * Dim) + (LowRank * Heads) + (5.0 * Dim * HeadDim);

    public override double Activations => (34.0 * Dim) + (2 * LowRank) + ((double)Dim * HeadDim / 16);

    public override VuafMixer Build(Weights w) => new RwkvMixer(this, w);

    /// <summary>Starts of the mixes: from 1 (the present row alone) to 0 (the one before).</summary>
    public double[] Ramp() => [.. Enumerable.Range(0, Dim).Select(i => 1 - (i / (double)Math.Max(1, Dim - 1)))];

    /// <summary>Start of the decay's bias: the logit of w = e^(−1/τ), τ log-spaced over each head's channels.</summary>
    public double[] Spread() => [.. Enumerable.Range(0, Dim).Select(i =>
    {
        double place = i % HeadDim / (double)Math.Max(1, HeadDim - 1);
        double memory = LeastMemory * Math.Pow(LongestMemory / LeastMemory, place);
        double w = Math.Exp(-1 / memory);
        return Math.Log(w / (1 - w));
    })];
}

internal sealed class RwkvMixer(RwkvMixerConfig config, Weights w) : VuafMixer
{
    private const double NormEps = 1e-5;
    private static readonly string[] Streams = ["r", "k", "v", "kappa", "g"];
    private static readonly Init Start = Init.Xavier(1 / Math.Sqrt(2));
    private readonly Tensor[] _mix_D = [.. Streams.Select(s => w.Vector($"mix_{s}", Init.Given(config.Ramp()), config.Dim))];
    private readonly Tensor[] _streams = [.. Streams.Select(s => w.Matrix($"W_{s}.weight", config.Dim, config.Dim, Start))];
    private readonly Tensor _decayIn = w.Factor("w_low_in.weight", config.LowRank, config.Dim, Start);
    private readonly Tensor _decayOut = w.Factor("w_low_out.weight", config.Dim, config.LowRank, Start);
    private readonly Tensor _decayBias_D = w.Vector("w_low_out.bias", config.SpreadDecay ? Init.Given(config.Spread()) : Init.Zeros, config.Dim);
    private readonly Tensor _rateIn = w.Factor("a_low_in.weight", config.LowRank, config.Dim, Start);
    private readonly Tensor _rateOut = w.Factor("a_low_out.weight", config.Heads, config.LowRank, Start);
    private readonly Tensor _rateBias_H = w.Vector("a_low_out.bias", Init.Zeros, config.Heads);
    private readonly Tensor _out = w.Matrix("out_proj.weight", config.Dim, config.Dim, Start);
    private readonly Tensor _normWeight_D = w.Norm("group_norm.weight", config.Dim);
    private readonly Tensor _normBias_D = w.Vector("group_norm.bias", Init.Zeros, config.Dim);

    public override Tensor Forward(Tensor x_BTD, ForwardContext context, long read)
    {
        var step_BTD = context.Past.Shift(this, x_BTD) - x_BTD;
        Tensor Mixed(int s) => x_BTD + (step_BTD * ((_mix_D[s] * -1.0) + 1));
        Tensor Stream(int s) => Of(s, Mixed(s));
        Tensor Of(int s, Tensor mixed) => Functions.Linear(mixed, _streams[s], context.Compute).to(x_BTD.dtype);
        Tensor Low(Tensor narrow, Tensor wide, Tensor bias) =>
            Functions.Linear(Functions.Linear(x_BTD, narrow, context.Compute).tanh(), wide, context.Compute).to(x_BTD.dtype) + bias;

        var kappa_BTHN = Heads(Stream(3));

        // The square is held up, not its root, whose gradient at 0 is infinite.
        kappa_BTHN = kappa_BTHN / kappa_BTHN.pow(2).sum(-1, true).clamp(min: 1e-24).sqrt();
        var logW_BTHN = Heads(nn.functional.logsigmoid(Low(_decayIn, _decayOut, _decayBias_D)));
        var rate_BTH1 = Low(_rateIn, _rateOut, _rateBias_H).sigmoid().unsqueeze(-1);
        var inputs = new DeltaInputs(
            Heads(Stream(0)), Heads(Stream(1)), Heads(Stream(2)), logW_BTHN.exp() * kappa_BTHN * -1.0, kappa_BTHN * rate_BTH1, logW_BTHN);
        var y_BTHN = context.Past.Scan(this, DeltaScan.Start(inputs.R), state_BHNN => DeltaScan.Run(inputs, state_BHNN));
        var normed_BWD = (Last(Norm(y_BTHN).flatten(2), read) * _normWeight_D) + _normBias_D;
        return Functions.Linear(normed_BWD * Of(4, Last(Mixed(4), read)).sigmoid(), _out, context.Compute);
    }

    private Tensor Heads(Tensor x_BTD) => x_BTD.view(x_BTD.size(0), x_BTD.size(1), config.Heads, config.HeadDim);

    private Tensor Norm(Tensor y_BTHN)
    {
        if (!config.SequenceNorm)
        {
            return nn.functional.layer_norm(y_BTHN, [config.HeadDim], eps: NormEps);
        }

        // As the published runtime: a group is a head's channels at all positions.
        long time = y_BTHN.size(1);
        var flat_BHM = y_BTHN.transpose(1, 2).flatten(2);
        return nn.functional.layer_norm(flat_BHM, [time * config.HeadDim], eps: NormEps)
            .view(y_BTHN.size(0), config.Heads, time, config.HeadDim).transpose(1, 2);
    }
}
