using static TorchSharp.torch;

// B batch, T time, D model width, F hidden width, r rank.
namespace Hearth.Models.Moa;

/// <summary>
/// Three branches blended per token: SwiGLU (Shazeer, arXiv 2002.05202), a separable causal convolution, and a gated
/// low-rank map.
/// </summary>
internal sealed class HyperFfn(Func<string, Tensor> weight, string prefix)
{
    private readonly Tensor _gate_FD = weight(prefix + ".mlp.gate");
    private readonly Tensor _up_FD = weight(prefix + ".mlp.up");
    private readonly Tensor _down_DF = weight(prefix + ".mlp.down");
    private readonly Tensor _taps_DJ = weight(prefix + ".sep.dw");
    private readonly Tensor _pointwise = weight(prefix + ".sep.pw");
    private readonly Tensor _a_rD = weight(prefix + ".lr.a");
    private readonly Tensor _rankGate_rD = weight(prefix + ".lr.gate");
    private readonly Tensor _b_Dr = weight(prefix + ".lr.b");
    private readonly Tensor _router_3D = weight(prefix + ".router.w");
    private readonly Tensor _router_3 = weight(prefix + ".router.b");

    internal Tensor Forward(Tensor m_BTD, MoaPass pass, ConvTail? tail)
    {
        var beta_BT3 = nn.functional.linear(m_BTD, _router_3D, _router_3).softmax(-1);
        Tensor Linear(Tensor x, Tensor matrix) => Functions.Linear(x, matrix, pass.Compute);
        var wide_BTD = Linear(Linear(m_BTD, _gate_FD).silu() * Linear(m_BTD, _up_FD), _down_DF);
        var local_BTD = Linear(CausalConv.Forward(m_BTD, _taps_DJ, tail).silu(), _pointwise);
        var low_BTD = Linear(Linear(m_BTD, _a_rD) * Linear(m_BTD, _rankGate_rD).sigmoid(), _b_Dr);
        return (beta_BT3.narrow(-1, 0, 1) * wide_BTD) + (beta_BT3.narrow(-1, 1, 1) * local_BTD) + (beta_BT3.narrow(-1, 2, 1) * low_BTD);
    }
}
