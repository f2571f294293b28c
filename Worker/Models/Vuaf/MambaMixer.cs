using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, I inner width, H heads, P head width, N state width.
namespace Hearth.Models.Vuaf;

/// <summary>
/// Mamba-2's state-space dual (Dao &amp; Gu, arXiv 2405.21060) as VUAF has it: one projection, no convolution, no gate, x not
/// multiplied by Δ; Δ = softplus(dt − e^A) per head, decay e^−Δ.
/// </summary>
/// <param name="FloorDecay">The published runtime's floor of 1e-9 under the decay.</param>
internal sealed record MambaMixerConfig(int Dim, int Inner, int HeadDim, int StateDim, int Chunk, bool FloorDecay) : VuafMixerConfig
{
    private const double LargestA = 16;

    public int Heads => Inner / HeadDim;

    public int ProjectionRows => Inner + (2 * StateDim) + Heads;

    public override double MultiplyAdds(int seqLen) => ((double)Dim * (ProjectionRows + Inner)) + (3.0 * Inner * StateDim);

    public override double Activations => (2.0 * ProjectionRows) + (8.0 * Inner) + ((double)Inner * StateDim / 16);

    public override VuafMixer Build(Weights w) => new MambaMixer(this, w);

    /// <summary>Start of log A: log of 1 … 16, evenly spaced over the heads.</summary>
    public double LogA(int head) => Math.Log(1 + ((LargestA - 1) * head / Math.Max(1, Heads - 1)));
}

internal sealed class MambaMixer(MambaMixerConfig config, Weights w) : VuafMixer
{
    private const double NormEps = 1e-5;
    private static readonly double LeastLogDecay = Math.Log(1e-9);
    private readonly Tensor _logA_H = w.Vector("A_log", Init.Given([.. Enumerable.Range(0, config.Heads).Select(config.LogA)]), config.Heads);
    private readonly Tensor _skip_H = w.Vector("D", Init.Ones, config.Heads);

    // x, B and C are matrices of their own; dt takes Adam.
    private readonly Tensor _in = w.Take(
        TensorSpec.Matrix("in_proj.weight", config.ProjectionRows, config.Dim, Init.Xavier()) with { MuonRows = [config.Inner, config.StateDim, config.StateDim] });
    private readonly Tensor _out = w.Matrix("out_proj.weight", config.Dim, config.Inner, Init.Xavier());
    private readonly Tensor _normWeight_I = w.Norm("norm.weight", config.Inner);
    private readonly Tensor _normBias_I = w.Vector("norm.bias", Init.Zeros, config.Inner);

    public override Tensor Forward(Tensor x_BTD, ForwardContext context, long read)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var all = Functions.Linear(x_BTD, _in, context.Compute).to(x_BTD.dtype);
        var x_BTHP = all.narrow(2, 0, config.Inner).reshape(batch, time, config.Heads, config.HeadDim);
        var b_BTN = all.narrow(2, config.Inner, config.StateDim);
        var c_BTN = all.narrow(2, config.Inner + config.StateDim, config.StateDim);
        var dt_BTH = all.narrow(2, config.Inner + (2 * config.StateDim), config.Heads);

        // −softplus(z) = logsigmoid(−z)
        var logDecay_BTH = nn.functional.logsigmoid(_logA_H.exp() - dt_BTH);
        if (config.FloorDecay)
        {
            logDecay_BTH = logDecay_BTH.clamp(min: LeastLogDecay);
        }

        var inputs = new SsdInputs(x_BTHP, logDecay_BTH, b_BTN, c_BTN);
        var y_BTHP = context.Past.Scan(this, SsdScan.Start(inputs), state_BHPN => SsdScan.Run(inputs, state_BHPN, config.Chunk));
        var y_BWI = (Last(y_BTHP, read) + (Last(x_BTHP, read) * _skip_H.unsqueeze(-1))).flatten(2);
        return Functions.Linear(nn.functional.layer_norm(y_BWI, [config.Inner], _normWeight_I, _normBias_I, NormEps), _out, context.Compute);
    }
}
