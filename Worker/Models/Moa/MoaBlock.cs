using static TorchSharp.torch;

// B batch, T time, D model width, I = 4 paths.
namespace Hearth.Models.Moa;

/// <summary>
/// One block: x ← x + ls₁ ⊙ Σ_i ω_i φ_i y_i(n) over four paths of n = norm₁(x), then x ← x + ls₂ ⊙ HyperFFN(norm₂(x)).
/// </summary>
internal sealed class MoaBlock(MoaConfig config, Weights w)
{
    private readonly Tensor _norm1_D = w.Norm("norm1", config.Dim);
    private readonly Tensor _norm2_D = w.Norm("norm2", config.Dim);
    private readonly Tensor _scale1_D = w.Vector("ls1", Init.Constant(config.LayerScaleInit), config.Dim);
    private readonly Tensor _scale2_D = w.Vector("ls2", Init.Constant(config.LayerScaleInit), config.Dim);
    private readonly TokenRouter _router = new(config, w);
    private readonly LocalConv _conv = new(config, w.Under("conv"));
    private readonly MetricAttention _heads = new(config, config.AttnHeads, w.Under("mh"));
    private readonly GatedProjector _projector = new(config, w.Under("mh"));
    private readonly BlackHoleRope _headsRope = new(config, config.AttnHeads, w.Under("rope_global"));
    private readonly ChannelMix _mix = new(config, w.Under("mix"));
    private readonly MetricAttention _shared = new(config, 1, w.Under("mqa"));
    private readonly BlackHoleRope _sharedRope = new(config, 1, w.Under("rope_mqa"));
    private readonly HyperFfn _ffn = new(config, w.Under("ffn"));

    internal Tensor Forward(Tensor x_BTD, MoaPass pass)
    {
        var n_BTD = Functions.RmsNorm(x_BTD, _norm1_D, MoaConfig.NormEps);
        var discrepancy_BT = config.DiscrepancyModulation ? Discrepancy(n_BTD, pass.Past.Before(this, "row", n_BTD, 1)) : null;
        var share_BTI = _router.Forward(n_BTD, pass);
        Tensor[] paths =
        [
            _conv.Forward(n_BTD, pass),
            _projector.Forward(_heads.Forward(n_BTD, discrepancy_BT, _headsRope, pass), pass),
            _mix.Forward(n_BTD, pass),
            _shared.Forward(n_BTD, discrepancy_BT, _sharedRope, pass),
        ];
        var blend_BTD = paths.Select((y, i) => share_BTI.narrow(-1, i, 1) * y).Aggregate((a, b) => a + b);
        x_BTD = x_BTD + (_scale1_D * blend_BTD);
        var m_BTD = Functions.RmsNorm(x_BTD, _norm2_D, MoaConfig.NormEps);
        return x_BTD + (_scale2_D * _ffn.Forward(m_BTD, pass));
    }

    /// <summary>‖n_t − n_{t−1}‖² / 2D, [B,T]; 0 where there is no row before.</summary>
    internal static Tensor Discrepancy(Tensor n_BTD, Tensor? row_B1D)
    {
        long time = n_BTD.size(1), width = n_BTD.size(2);
        var before_BTD = cat([row_B1D ?? n_BTD.narrow(1, 0, 1), n_BTD.narrow(1, 0, time - 1)], 1);
        return (n_BTD - before_BTD).pow(2).sum(-1) / (2.0 * width);
    }
}

/// <summary>z + down(silu(gate z) ⊙ up z): what path 1 does with the output of attention. Down starts at zero.</summary>
internal sealed class GatedProjector(MoaConfig config, Weights w)
{
    private readonly Tensor _gate = w.Matrix("vp_gate", config.VprojHidden, config.Dim, MoaInit.Matrix);
    private readonly Tensor _up = w.Matrix("vp_up", config.VprojHidden, config.Dim, MoaInit.Matrix);
    private readonly Tensor _down = w.Matrix("vp_down", config.Dim, config.VprojHidden, Init.Zeros);

    internal Tensor Forward(Tensor z_BTD, MoaPass pass)
    {
        var inner = Functions.Linear(z_BTD, _gate, pass.Compute).silu() * Functions.Linear(z_BTD, _up, pass.Compute);
        return z_BTD + Functions.Linear(inner, _down, pass.Compute);
    }
}
