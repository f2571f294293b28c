using System.Numerics;
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

        q_BHTN = context.Rope.Turn(q_BHTN, config.RopeTheta, context.Offset);
        k_BKTN = context.Rope.Turn(k_BKTN, config.RopeTheta, context.Offset);
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

    /// <summary>Keys and values so far, in buffers that double when full: n rows cost O(n) copies, not O(n²).</summary>
    private sealed class KvCache : MixerState
    {
        private const long LeastRows = 32;
        private Tensor? _k_BKSN;
        private Tensor? _v_BKSN;
        private long _length;

        internal (Tensor K, Tensor V) Append(Tensor k_BKTN, Tensor v_BKTN)
        {
            long time = k_BKTN.size(2), length = _length + time;
            if (_k_BKSN is null || _v_BKSN is null || length > _k_BKSN.size(2))
            {
                long rows = Math.Max(LeastRows, (long)BitOperations.RoundUpToPowerOf2((ulong)length));
                (_k_BKSN, _v_BKSN) = (Grow(_k_BKSN, k_BKTN, rows), Grow(_v_BKSN, v_BKTN, rows));
            }

            _k_BKSN.narrow(2, _length, time).copy_(k_BKTN);
            _v_BKSN.narrow(2, _length, time).copy_(v_BKTN);
            _length = length;
            return (_k_BKSN.narrow(2, 0, length), _v_BKSN.narrow(2, 0, length));
        }

        public override void Dispose()
        {
            _k_BKSN?.Dispose();
            _v_BKSN?.Dispose();
        }

        private Tensor Grow(Tensor? old, Tensor like, long rows)
        {
            long[] shape = like.shape;
            shape[2] = rows;
            var grown = empty(shape, like.dtype, like.device).DetachFromDisposeScope();
            if (old is not null)
            {
                grown.narrow(2, 0, _length).copy_(old.narrow(2, 0, _length));
                old.Dispose();
            }

            return grown;
        }
    }
}
