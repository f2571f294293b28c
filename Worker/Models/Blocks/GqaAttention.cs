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

    public override double Activations(int seqLen) => (8.0 * Dim) + (3.0 * Heads * seqLen);

    public override IEnumerable<TensorSpec> Tensors(string prefix) =>
    [
        TensorSpec.Matrix(prefix + ".q", Dim, Dim, Init.Xavier()),
        TensorSpec.Matrix(prefix + ".k", KvHeads * HeadDim, Dim, Init.Xavier()),
        TensorSpec.Matrix(prefix + ".v", KvHeads * HeadDim, Dim, Init.Xavier()),
        TensorSpec.Matrix(prefix + ".o", Dim, Dim, Init.Xavier(OutScale)),
        .. QkNorm ? [TensorSpec.Norm(prefix + ".q_norm", HeadDim), TensorSpec.Norm(prefix + ".k_norm", HeadDim)] : Array.Empty<TensorSpec>(),
    ];

    public override Mixer Build(Func<string, Tensor> weight, string prefix) => new GqaAttention(this, weight, prefix);
}

internal sealed class GqaAttention(GqaAttentionConfig config, Func<string, Tensor> weight, string prefix) : Mixer
{
    private readonly Tensor _q = weight(prefix + ".q");
    private readonly Tensor _k = weight(prefix + ".k");
    private readonly Tensor _v = weight(prefix + ".v");
    private readonly Tensor _o = weight(prefix + ".o");
    private readonly Tensor? _qNorm_N = config.QkNorm ? weight(prefix + ".q_norm") : null;
    private readonly Tensor? _kNorm_N = config.QkNorm ? weight(prefix + ".k_norm") : null;

    public override MixerState NewState() => new KvCache();

    public override Tensor Forward(Tensor x_BTD, ForwardContext context, MixerState? state)
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

        var rope = Rope.For(config.HeadDim, config.RopeTheta, context.Offset, time, x_BTD);
        q_BHTN = rope.Apply(q_BHTN);
        k_BKTN = rope.Apply(k_BKTN);
        if (state is KvCache cache)
        {
            (k_BKTN, v_BKTN) = cache.Append(k_BKTN, v_BKTN);
        }

        // With cached keys the rows no longer start at key 0, so the mask is written out.
        bool shifted = context.Offset > 0;
        var mask_TS = shifted && time > 1 ? Mask(time, k_BKTN.size(2), q_BHTN) : null;
        var y_BHTN = nn.functional.scaled_dot_product_attention(q_BHTN, Repeat(k_BKTN), Repeat(v_BKTN), mask_TS, is_causal: !shifted && time > 1);
        return Functions.Linear(y_BHTN.transpose(1, 2).reshape(batch, time, config.Dim), _o, context.Compute);
    }

    private Tensor Split(Tensor x_BTD, int heads) => x_BTD.view(x_BTD.size(0), x_BTD.size(1), heads, config.HeadDim).transpose(1, 2);

    private Tensor Repeat(Tensor x_BKSN)
    {
        int group = config.Heads / config.KvHeads;
        if (group == 1)
        {
            return x_BKSN;
        }

        long batch = x_BKSN.size(0), keys = x_BKSN.size(2);
        return x_BKSN.unsqueeze(2).expand(batch, config.KvHeads, group, keys, config.HeadDim).reshape(batch, config.Heads, keys, config.HeadDim);
    }

    private static Tensor Mask(long time, long keys, Tensor like) =>
        full([time, keys], double.NegativeInfinity, like.dtype, like.device).triu(keys - time + 1);

    private sealed class KvCache : MixerState
    {
        private Tensor? _k_BKSN;
        private Tensor? _v_BKSN;

        internal (Tensor K, Tensor V) Append(Tensor k_BKTN, Tensor v_BKTN)
        {
            var k = _k_BKSN is null ? k_BKTN.clone() : cat([_k_BKSN, k_BKTN], 2);
            var v = _v_BKSN is null ? v_BKTN.clone() : cat([_v_BKSN, v_BKTN], 2);
            Dispose();
            _k_BKSN = k.DetachFromDisposeScope();
            _v_BKSN = v.DetachFromDisposeScope();
            return (k, v);
        }

        public override void Dispose()
        {
            _k_BKSN?.Dispose();
            _v_BKSN?.Dispose();
        }
    }
}

/// <summary>Rotary positions: angles t·θ^(−2p/N) in fp64, cosines and sines stored in at least fp32.</summary>
internal sealed class Rope(Tensor cos_TP, Tensor sin_TP)
{
    internal static Rope For(int headDim, double theta, long offset, long time, Tensor like)
    {
        int half = headDim / 2;
        var frequency_P = (arange(0, half, float64) * (-2.0 / headDim * Math.Log(theta))).exp();
        var angle_TP = arange(offset, offset + time, float64).unsqueeze(1) * frequency_P;
        var type = like.dtype == float64 ? float64 : float32;
        return new Rope(angle_TP.cos().to(type).to(like.device), angle_TP.sin().to(type).to(like.device));
    }

    internal Tensor Apply(Tensor x_BHTN)
    {
        long half = x_BHTN.size(-1) / 2;
        var a = x_BHTN.narrow(-1, 0, half);
        var b = x_BHTN.narrow(-1, half, half);
        return cat([(a * cos_TP) - (b * sin_TP), (a * sin_TP) + (b * cos_TP)], -1).to(x_BHTN.dtype);
    }
}
