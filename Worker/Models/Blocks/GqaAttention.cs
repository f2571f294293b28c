using static TorchSharp.torch;

// B batch, T time, S keys, H query heads, K key/value heads, N head width.
namespace Hearth.Models.Blocks;

/// <summary>
/// Causal grouped-query attention with rotary positions (Ainslie et al., arXiv 2305.13245; Su et al., arXiv 2104.09864):
/// query head h reads key/value head h / (H/K); half-split pairs (p, p + N/2); scores q·k/√N.
/// </summary>
/// <param name="OutScale">Factor on Xavier's bound for the output projection.</param>
public sealed record GqaAttentionConfig(int Dim, int Heads, int KvHeads, double RopeTheta, bool QkNorm, double NormEps, double OutScale) : MixerConfig
{
    public int HeadDim => Dim / Heads;

    public override double MultiplyAdds(int seqLen) => (2.0 * Dim * Dim) + (2.0 * Dim * KvHeads * HeadDim) + ((double)Dim * seqLen);

    // Attention keeps no scores: its kernels compute them again.
    public override double Activations => 8.0 * Dim;

    public override Mixer<ForwardContext> Build(Weights w) => new GqaAttention(this, w);
}

internal sealed class GqaAttention(GqaAttentionConfig config, Weights w) : Mixer<ForwardContext>
{
    private readonly Tensor _q = w.Matrix("q", config.Dim, config.Dim, Init.Xavier());
    private readonly Tensor _k = w.Matrix("k", config.KvHeads * config.HeadDim, config.Dim, Init.Xavier());
    private readonly Tensor _v = w.Matrix("v", config.KvHeads * config.HeadDim, config.Dim, Init.Xavier());
    private readonly Tensor _o = w.Matrix("o", config.Dim, config.Dim, Init.Xavier(config.OutScale));
    private readonly Tensor? _qNorm_N = config.QkNorm ? w.Norm("q_norm", config.HeadDim) : null;
    private readonly Tensor? _kNorm_N = config.QkNorm ? w.Norm("k_norm", config.HeadDim) : null;

    public override Tensor Forward(Tensor x_BTD, ForwardContext context)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var q_BHTN = Split(Functions.Linear(x_BTD, _q, context.Compute), config.Heads);
        var k_BKTN = Split(Functions.Linear(x_BTD, _k, context.Compute), config.KvHeads);
        var v_BKTN = Split(Functions.Linear(x_BTD, _v, context.Compute), config.KvHeads);
        if (_qNorm_N is not null)
        {
            q_BHTN = Functions.RmsNorm(q_BHTN, _qNorm_N, config.NormEps).to(context.Compute);
            k_BKTN = Functions.RmsNorm(k_BKTN, _kNorm_N!, config.NormEps).to(context.Compute);
        }

        q_BHTN = context.Turn(q_BHTN, config.RopeTheta);
        var (k_BKSN, v_BKSN) = context.Past.Extend(this, context.Turn(k_BKTN, config.RopeTheta), v_BKTN);
        var y_BHTN = CausalAttention.Attend(q_BHTN, k_BKSN, v_BKSN, context.Mask_B1TS);
        return Functions.Linear(y_BHTN.transpose(1, 2).reshape(batch, time, config.Dim), _o, context.Compute);
    }

    private Tensor Split(Tensor x_BTD, int heads) => x_BTD.view(x_BTD.size(0), x_BTD.size(1), heads, config.HeadDim).transpose(1, 2);
}
