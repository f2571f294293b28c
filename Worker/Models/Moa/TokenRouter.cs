using static TorchSharp.torch;

// B batch, T time, D model width, I = 4 paths.
namespace Hearth.Models.Moa;

/// <summary>
/// How much of each path a token takes: softmax weights ω, soft or their two largest, times feature gates φ in (0,2).
/// Kept in the masters' type, whatever the matrix products use.
/// </summary>
internal sealed class TokenRouter(MoaConfig config, Weights w)
{
    private readonly Tensor _fc1 = w.Vector("router.fc1", MoaInit.Matrix, config.RouterHidden, config.Dim);
    private readonly Tensor _b1 = w.Vector("router.b1", Init.Zeros, config.RouterHidden);
    private readonly Tensor _fc2 = w.Vector("router.fc2", Init.Zeros, MoaConfig.Paths, config.RouterHidden);
    private readonly Tensor _b2 = w.Vector("router.b2", Init.Zeros, MoaConfig.Paths);
    private readonly Tensor _biasGate_ID = w.Vector("router.bias_gate", Init.Zeros, MoaConfig.Paths, config.Dim);
    private readonly Tensor _biasScale_1 = w.Vector("router.bias_scale", Init.Ones, 1);
    private readonly Tensor _gate_ID = w.Vector("feat_gate.w", Init.Zeros, MoaConfig.Paths, config.Dim);
    private readonly Tensor _gate_I = w.Vector("feat_gate.b", Init.Zeros, MoaConfig.Paths);

    /// <summary>ω ⊙ φ, [B,T,4].</summary>
    internal Tensor Forward(Tensor n_BTD, MoaPass pass)
    {
        var signed_BTI = nn.functional.linear(n_BTD, _biasGate_ID).tanh() * _biasScale_1;
        var logits_BTI = nn.functional.linear(nn.functional.linear(n_BTD, _fc1, _b1).silu(), _fc2, _b2) + signed_BTI;
        var soft_BTI = (config.RouterTemperature == 1 ? logits_BTI : logits_BTI / config.RouterTemperature).softmax(-1);
        var omega_BTI = KeepsTwo(pass) ? TopTwo(soft_BTI) : soft_BTI;
        pass.Routes.Add(soft_BTI);
        pass.Omegas.Add(omega_BTI);
        return omega_BTI * nn.functional.linear(n_BTD, _gate_ID, _gate_I).sigmoid() * 2;
    }

    private bool KeepsTwo(MoaPass pass) => pass.Training?.KeepsTwo ?? config.RouterTopk == 2;

    /// <summary>The two largest of each row over their sum, 0 elsewhere; of equals the lower path is kept.</summary>
    internal static Tensor TopTwo(Tensor soft_BTI)
    {
        var kept_BTI = soft_BTI * Kept(soft_BTI.detach());
        return kept_BTI / kept_BTI.sum(-1, true);
    }

    // A path's rank is the number of paths that go before it: those with more weight, and those with as much and a lower index.
    private static Tensor Kept(Tensor soft_BTI)
    {
        long paths = soft_BTI.size(-1);
        var lead_BTIJ = soft_BTI.unsqueeze(-2) - soft_BTI.unsqueeze(-1);
        var lower_IJ = ones([paths, paths], soft_BTI.dtype, soft_BTI.device).tril(-1);
        var before_BTIJ = lead_BTIJ.gt(0).to(soft_BTI.dtype) + (lead_BTIJ.eq(0).to(soft_BTI.dtype) * lower_IJ);
        return before_BTIJ.sum(-1).lt(2).to(soft_BTI.dtype);
    }
}
