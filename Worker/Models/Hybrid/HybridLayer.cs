using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, D model width, F feed-forward width.
namespace Hearth.Models.Hybrid;

/// <summary>
/// <c>u = m₀⊙x + m₁⊙x₀</c>, <c>u' = u + a⊙Mix(RMS(u)·ρ)</c>, <c>x = u' + b⊙MLP(RMS(u')·ρ)</c> with x₀ the embedding's rows;
/// ρ = 1/√(i+1) in attention layers, 1 elsewhere. The MLP is <c>proj(leaky(fc x)²)</c>.
/// </summary>
internal sealed class HybridLayer(HybridConfig config, int index, Tensor? valueScale_1, Weights w)
{
    private readonly Mixer<HybridContext> _mixer = config.Attends(index) ? new WindowAttention(config, index, valueScale_1, w) : new TokenShift(config, w);
    private readonly double _damping = config.Attends(index) ? 1 / Math.Sqrt(index + 1) : 1;
    private readonly Tensor _fc_FD = w.Matrix("fc", config.Hidden, config.DModel, Init.Orthogonal());
    private readonly Tensor _proj_DF = w.Matrix("mlp_proj", config.DModel, config.Hidden, Init.Zeros);
    private readonly Tensor _attnScale_D = w.Decayed("attn_scale", Init.Constant(1), config.DModel);
    private readonly Tensor _mlpScale_D = w.Decayed("mlp_scale", Init.Constant(1), config.DModel);
    private readonly Tensor _residMix_2D = w.Decayed("resid_mix", Init.FirstRow, 2, config.DModel);

    internal Tensor Forward(Tensor x_BTD, Tensor first_BTD, HybridContext context)
    {
        var u_BTD = (x_BTD * _residMix_2D.select(0, 0)) + (first_BTD * _residMix_2D.select(0, 1));
        u_BTD = u_BTD + (_mixer.Forward(Norm(u_BTD), context) * _attnScale_D);
        return u_BTD + (Mlp(Norm(u_BTD), context) * _mlpScale_D);
    }

    private Tensor Norm(Tensor x_BTD)
    {
        var normed_BTD = Functions.RmsNorm(x_BTD, config.NormEps);
        return _damping == 1 ? normed_BTD : normed_BTD * _damping;
    }

    private Tensor Mlp(Tensor x_BTD, HybridContext context) =>
        context.Linear(context.Linear(x_BTD, _fc_FD).leaky_relu(config.MlpSlope).pow(2), _proj_DF);
}

/// <summary>
/// <c>x_r = σ(μ_r)⊙x + (1−σ(μ_r))⊙x₋₁</c>, the same with μ_k; <c>σ(W_r x_r) ⊙ W_v(relu(W_k x_k)²)</c>: RWKV's channel mix
/// (Peng et al., arXiv 2305.13048 §3.1) as the mixer over time. One token back, no further.
/// </summary>
internal sealed class TokenShift(HybridConfig config, Weights w) : Mixer<HybridContext>
{
    private readonly Tensor _mixR_D = w.Decayed("mix_r", Init.Constant(0.5), config.DModel);
    private readonly Tensor _mixK_D = w.Decayed("mix_k", Init.Constant(0.5), config.DModel);
    private readonly Tensor _r_DD = w.Matrix("W_r", config.DModel, config.DModel, Init.Orthogonal());
    private readonly Tensor _k_DD = w.Matrix("W_k", config.DModel, config.DModel, Init.Orthogonal());
    private readonly Tensor _v_DD = w.Matrix("W_v", config.DModel, config.DModel, Init.Zeros);

    public override Tensor Forward(Tensor x_BTD, HybridContext context)
    {
        var before_BTD = context.Past.Shift(this, x_BTD);
        var gate_BTD = context.Linear(Mix(x_BTD, before_BTD, _mixR_D), _r_DD).sigmoid();
        var key_BTD = context.Linear(Mix(x_BTD, before_BTD, _mixK_D), _k_DD).relu().pow(2);
        return gate_BTD * context.Linear(key_BTD, _v_DD);
    }

    private static Tensor Mix(Tensor x_BTD, Tensor before_BTD, Tensor mix_D) => before_BTD + ((x_BTD - before_BTD) * mix_D.sigmoid());
}
