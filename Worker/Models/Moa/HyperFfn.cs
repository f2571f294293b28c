using static TorchSharp.torch;

// B batch, T time, D model width, F hidden width, r rank.
namespace Hearth.Models.Moa;

/// <summary>
/// Three branches blended per token: SwiGLU (Shazeer, arXiv 2002.05202), a separable causal convolution, and a gated
/// low-rank map.
/// </summary>
internal sealed class HyperFfn(MoaConfig config, Weights w)
{
    private readonly Tensor _gate_FD = w.Matrix("mlp.gate", config.FfnHidden, config.Dim, MoaInit.Matrix);
    private readonly Tensor _up_FD = w.Matrix("mlp.up", config.FfnHidden, config.Dim, MoaInit.Matrix);
    private readonly Tensor _down_DF = w.Matrix("mlp.down", config.Dim, config.FfnHidden, MoaInit.Residual(config));
    private readonly Tensor _taps_DJ = w.Vector("sep.dw", MoaInit.Taps, config.Dim, config.ConvKernel);
    private readonly Tensor _pointwise = w.Matrix("sep.pw", config.Dim, config.Dim, MoaInit.Residual(config));
    private readonly Tensor _a_rD = w.Factor("lr.a", config.LrRank, config.Dim, MoaInit.Matrix);
    private readonly Tensor _rankGate_rD = w.Factor("lr.gate", config.LrRank, config.Dim, MoaInit.Matrix);
    private readonly Tensor _b_Dr = w.Factor("lr.b", config.Dim, config.LrRank, MoaInit.Residual(config));
    private readonly Tensor _router_3D = w.Vector("router.w", Init.Zeros, MoaConfig.Branches, config.Dim);
    private readonly Tensor _router_3 = w.Vector("router.b", Init.Zeros, MoaConfig.Branches);

    internal Tensor Forward(Tensor m_BTD, MoaPass pass)
    {
        var beta_BT3 = nn.functional.linear(m_BTD, _router_3D, _router_3).softmax(-1);
        Tensor Linear(Tensor x, Tensor matrix) => Functions.Linear(x, matrix, pass.Compute);
        var wide_BTD = Linear(Linear(m_BTD, _gate_FD).silu() * Linear(m_BTD, _up_FD), _down_DF);
        var local_BTD = Linear(CausalConv.Forward(m_BTD, _taps_DJ, pass.Past.Before(this, "taps", m_BTD, config.ConvKernel - 1)).silu(), _pointwise);
        var low_BTD = Linear(Linear(m_BTD, _a_rD) * Linear(m_BTD, _rankGate_rD).sigmoid(), _b_Dr);
        return (beta_BT3.narrow(-1, 0, 1) * wide_BTD) + (beta_BT3.narrow(-1, 1, 1) * local_BTD) + (beta_BT3.narrow(-1, 2, 1) * low_BTD);
    }
}
