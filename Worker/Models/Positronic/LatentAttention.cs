using Hearth.Models.Blocks;
using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, S keys, D model width, H query heads, K key/value heads, N head width, P its part without positions.
namespace Hearth.Models.Positronic;

/// <summary>
/// Attention with low-rank queries and outputs (DeepSeek-V2, arXiv 2405.04434 §2.1, the projections only), grouped heads, normed
/// queries and keys, and rotary positions on the second half of each head.
/// </summary>
internal sealed class LatentAttention(PositronicConfig config, Weights w)
{
    private readonly Tensor _qA = w.Matrix("q_a", config.QRank, config.DModel, PositronicInit.Small);
    private readonly Tensor _qANorm = w.Norm("q_a_norm", config.QRank);
    private readonly Tensor _qB = w.Matrix("q_b", config.NHead * config.HeadDim, config.QRank, PositronicInit.Small);
    private readonly Tensor _k = w.Matrix("k", config.NKvHead * config.HeadDim, config.DModel, PositronicInit.Small);
    private readonly Tensor _v = w.Matrix("v", config.NKvHead * config.HeadDim, config.DModel, PositronicInit.Small);
    private readonly Tensor _qNorm_N = w.Norm("q_norm", config.HeadDim);
    private readonly Tensor _kNorm_N = w.Norm("k_norm", config.HeadDim);
    private readonly Tensor _oA = w.Matrix("o_a", config.ORank, config.NHead * config.HeadDim, PositronicInit.Small);
    private readonly Tensor _oB = w.Matrix("o_b", config.DModel, config.ORank, PositronicInit.Small);
    private readonly Tensor? _alpha_H = config.UseDerf ? w.Vector("derf_alpha", Init.Ones, config.NHead) : null;
    private readonly Tensor? _beta_H = config.UseDerf ? w.Vector("derf_beta", Init.Zeros, config.NHead) : null;
    private readonly Tensor? _gamma_H = config.UseDerf ? w.Vector("derf_gamma", Init.Ones, config.NHead) : null;

    internal Tensor Forward(Tensor x_BTD, ForwardContext context)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var low = Functions.RmsNorm(Functions.Linear(x_BTD, _qA, context.Compute), _qANorm, config.NormEps);
        var q_BHTN = Placed(Split(Functions.Linear(low, _qB, context.Compute), config.NHead), _qNorm_N, context);
        var k_BKTN = Placed(Split(Functions.Linear(x_BTD, _k, context.Compute), config.NKvHead), _kNorm_N, context);
        var v_BKTN = Split(Functions.Linear(x_BTD, _v, context.Compute), config.NKvHead);
        var (k_BKSN, v_BKSN) = context.Past.Extend(this, k_BKTN, v_BKTN);
        var y_BHTN = config.UseDerf ? Derf(q_BHTN, k_BKSN, v_BKSN) : CausalAttention.Attend(q_BHTN, k_BKSN, v_BKSN);
        if (config.UseXsa)
        {
            y_BHTN = WithoutOwnValue(y_BHTN, Attention.Repeat(v_BKTN, config.NHead));
        }

        var rows = y_BHTN.transpose(1, 2).reshape(batch, time, config.NHead * config.HeadDim);
        return Functions.Linear(Functions.Linear(rows, _oA, context.Compute), _oB, context.Compute);
    }

    private Tensor Split(Tensor x, int heads) => x.view(x.size(0), x.size(1), heads, config.HeadDim).transpose(1, 2);

    private Tensor Placed(Tensor x_BHTN, Tensor norm_N, ForwardContext context)
    {
        x_BHTN = Functions.RmsNorm(x_BHTN, norm_N, config.NormEps).to(context.Compute);
        int still = config.HeadDim - config.RopeDim;
        var turned = context.Rope.Turn(x_BHTN.narrow(-1, still, config.RopeDim), config.RopeTheta, context.Offset);
        return cat([x_BHTN.narrow(-1, 0, still), turned], -1);
    }

    // Weights γ(1 + erf(α s + β))/2 over their sum: each score counts by itself, without the others' greatest.
    private Tensor Derf(Tensor q_BHTN, Tensor k_BKSN, Tensor v_BKSN)
    {
        long time = q_BHTN.size(2), keys = k_BKSN.size(2);
        var k_BHSN = Attention.Repeat(k_BKSN, config.NHead);
        var scores_BHTS = (q_BHTN * (1 / Math.Sqrt(config.HeadDim))).matmul(k_BHSN.transpose(-2, -1)).to(_alpha_H!.dtype);
        var weights_BHTS = PerHead(_gamma_H!) * Gates.Derf((PerHead(_alpha_H) * scores_BHTS) + PerHead(_beta_H!));
        weights_BHTS = weights_BHTS.tril(keys - time);
        weights_BHTS = weights_BHTS / (weights_BHTS.sum(-1, true) + 1e-8);
        return weights_BHTS.to(v_BKSN.dtype).matmul(Attention.Repeat(v_BKSN, config.NHead));
    }

    private static Tensor PerHead(Tensor x_H) => x_H.view(-1, 1, 1);

    // y − (y·v̂)v̂: what a token already knows of itself need not be attended to.
    private static Tensor WithoutOwnValue(Tensor y_BHTN, Tensor v_BHTN)
    {
        var unit = v_BHTN / (v_BHTN.pow(2).sum(-1, true).sqrt() + 1e-8);
        return y_BHTN - ((y_BHTN * unit).sum(-1, true) * unit);
    }
}
