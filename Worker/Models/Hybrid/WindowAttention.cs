using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, S keys, H query heads, K key/value heads, N head width, M blocks of W rows.
namespace Hearth.Models.Hybrid;

/// <summary>
/// Grouped-query attention over the last <c>window</c> rows and the own one, or over all: values with the value embedding,
/// weight-free norm on queries and keys, positions on a part of the head, a gain per query head, and in the last layers
/// removal of the own value's direction (XSA, parameter-golf).
/// </summary>
internal sealed class WindowAttention(HybridConfig config, int index, Func<string, Tensor> weight) : HybridMixer
{
    private readonly Tensor _q = weight($"blocks.{index}.q");
    private readonly Tensor _k = weight($"blocks.{index}.k");
    private readonly Tensor _v = weight($"blocks.{index}.v");
    private readonly Tensor _proj = weight($"blocks.{index}.proj");
    private readonly Tensor _gain_H = weight($"blocks.{index}.q_gain");
    private readonly Tensor? _valueScale_1 = config.VeLayers.Contains(index) ? weight($"ve.scale.{index}") : null;
    private readonly int? _window = config.WindowOf(index);
    private readonly bool _removesValue = config.RemovesValue(index);

    // The ladder of frequencies is that of the whole head, of which only the first are used: θ^(−2i/N) = θ'^(−2i/rope_dims).
    private readonly double _theta = Math.Pow(config.RopeTheta, config.RopeDims / (double)config.HeadDim);

    public override MixerState NewState() => _window is { } window ? new WindowCache(window) : new KvCache();

    public override Tensor Forward(Tensor x_BTD, HybridContext context, MixerState? state)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var v_BTE = context.Linear(x_BTD, _v);
        if (_valueScale_1 is not null)
        {
            v_BTE = v_BTE + (context.Values_BTE! * _valueScale_1);
        }

        var q_BHTN = Turn(Split(context.Linear(x_BTD, _q), config.NHead), context) * _gain_H.view(1, -1, 1, 1);
        var k_BKTN = Turn(Split(context.Linear(x_BTD, _k), config.NKvHead), context).to(context.Compute);
        var v_BKTN = Split(v_BTE, config.NKvHead).to(context.Compute);
        var y_BHTN = Attend(q_BHTN.to(context.Compute), k_BKTN, v_BKTN, context, state);
        if (_removesValue)
        {
            y_BHTN = RemoveDirection(y_BHTN, Repeat(v_BKTN));
        }

        return context.Linear(y_BHTN.transpose(1, 2).reshape(batch, time, config.DModel), _proj);
    }

    /// <summary>Masked scores, all keys at once: the plain form of <see cref="Blocks"/>.</summary>
    /// <param name="q_BHTN">Rows at the end of the keys' text.</param>
    /// <param name="k_BHSN">Keys.</param>
    /// <param name="v_BHSN">Values.</param>
    /// <param name="window">Rows before its own that a row sees; null = all.</param>
    internal static Tensor Dense(Tensor q_BHTN, Tensor k_BHSN, Tensor v_BHSN, int? window)
    {
        long time = q_BHTN.size(2), keys = k_BHSN.size(2), shift = keys - time;
        var mask_TS = full([time, keys], double.NegativeInfinity, q_BHTN.dtype, q_BHTN.device);
        mask_TS = window is { } w ? mask_TS.triu(shift + 1) + mask_TS.tril(shift - w - 1) : mask_TS.triu(shift + 1);
        return nn.functional.scaled_dot_product_attention(q_BHTN, k_BHSN, v_BHSN, mask_TS);
    }

    /// <summary>The same over blocks of <paramref name="window"/> rows, each with its own keys and those of the block before.</summary>
    internal static Tensor Blocks(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTN, int window)
    {
        long batch = q_BHTN.size(0), heads = q_BHTN.size(1), time = q_BHTN.size(2), width = q_BHTN.size(3);
        long blocks = (time + window - 1) / window, rest = (blocks * window) - time;
        var q_BHMWN = Pad(q_BHTN, 0, rest).view(batch, heads, blocks, window, width);
        var (k, v) = (Pairs(k_BHTN), Pairs(v_BHTN));
        var mask_WS = full([window, 2 * window], double.NegativeInfinity, q_BHTN.dtype, q_BHTN.device);
        mask_WS = mask_WS.triu(window + 1) + mask_WS.tril(-1);

        // Before the first block there is nothing.
        var first_MWS = zeros([blocks, window, 2 * window], q_BHTN.dtype, q_BHTN.device);
        first_MWS.narrow(0, 0, 1).narrow(2, 0, window).fill_(double.NegativeInfinity);
        var scores = (q_BHMWN * (1 / Math.Sqrt(width))).matmul(k.transpose(-2, -1)) + (first_MWS + mask_WS);
        return scores.softmax(-1).matmul(v).reshape(batch, heads, blocks * window, width).narrow(2, 0, time);

        Tensor Pairs(Tensor x_BHTN)
        {
            var all = Pad(x_BHTN, window, rest).view(batch, heads, blocks + 1, window, width);
            return cat([all.narrow(2, 0, blocks), all.narrow(2, 1, blocks)], 3);
        }
    }

    /// <summary>y − (y·v̂)v̂ with v̂ = v/(‖v‖ + 1e−8), in at least fp32.</summary>
    internal static Tensor RemoveDirection(Tensor y_BHTN, Tensor v_BHTN)
    {
        var type = y_BHTN.dtype == float64 ? float64 : float32;
        var (y, v) = (y_BHTN.to(type), v_BHTN.to(type));
        var unit = v / (v.pow(2).sum(-1, keepdim: true).sqrt() + 1e-8);
        return y - (unit * (y * unit).sum(-1, keepdim: true));
    }

    private Tensor Attend(Tensor q_BHTN, Tensor k_BKTN, Tensor v_BKTN, HybridContext context, MixerState? state)
    {
        var (k_BKSN, v_BKSN) = state switch
        {
            WindowCache recent => recent.Append(k_BKTN, v_BKTN),
            KvCache all => all.Append(k_BKTN, v_BKTN),
            _ => (k_BKTN, v_BKTN),
        };
        var (k_BHSN, v_BHSN) = (Repeat(k_BKSN), Repeat(v_BKSN));
        return _window is { } window && state is null && q_BHTN.size(2) > 2 * window
            ? Blocks(q_BHTN, k_BHSN, v_BHSN, window)
            : Dense(q_BHTN, k_BHSN, v_BHSN, _window);
    }

    private static Tensor Pad(Tensor x_BHTN, long before, long after)
    {
        long[] Shape(long rows) => [x_BHTN.size(0), x_BHTN.size(1), rows, x_BHTN.size(3)];
        return before + after == 0
            ? x_BHTN
            : cat([zeros(Shape(before), x_BHTN.dtype, x_BHTN.device), x_BHTN, zeros(Shape(after), x_BHTN.dtype, x_BHTN.device)], 2);
    }

    private Tensor Turn(Tensor x_BHTN, HybridContext context)
    {
        var normed = Functions.RmsNorm(x_BHTN, config.NormEps);
        var turned = context.Rope.Turn(normed.narrow(-1, 0, config.RopeDims), _theta, context.Offset);
        return config.RopeDims == config.HeadDim
            ? turned
            : cat([turned, normed.narrow(-1, config.RopeDims, config.HeadDim - config.RopeDims)], -1);
    }

    private Tensor Split(Tensor x_BTD, int heads) => x_BTD.view(x_BTD.size(0), x_BTD.size(1), heads, config.HeadDim).transpose(1, 2);

    private Tensor Repeat(Tensor x_BKSN)
    {
        int group = config.NHead / config.NKvHead;
        long batch = x_BKSN.size(0), keys = x_BKSN.size(2);
        return group == 1
            ? x_BKSN
            : x_BKSN.unsqueeze(2).expand(batch, config.NKvHead, group, keys, config.HeadDim).reshape(batch, config.NHead, keys, config.HeadDim);
    }

    /// <summary>The last <paramref name="window"/> rows: all that a later row can see.</summary>
    private sealed class WindowCache(int window) : MixerState
    {
        private Tensor? _k_BKSN;
        private Tensor? _v_BKSN;

        /// <summary>The kept rows and the new ones; keeps the end of both.</summary>
        internal (Tensor K, Tensor V) Append(Tensor k_BKTN, Tensor v_BKTN)
        {
            var k = _k_BKSN is null ? k_BKTN : cat([_k_BKSN, k_BKTN], 2);
            var v = _v_BKSN is null ? v_BKTN : cat([_v_BKSN, v_BKTN], 2);
            long kept = Math.Min(window, k.size(2));
            var (lastK, lastV) = (Last(k, kept), Last(v, kept));
            Dispose();
            (_k_BKSN, _v_BKSN) = (lastK, lastV);
            return (k, v);
        }

        public override void Dispose()
        {
            _k_BKSN?.Dispose();
            _v_BKSN?.Dispose();
        }

        private static Tensor Last(Tensor x_BKSN, long rows) => x_BKSN.narrow(2, x_BKSN.size(2) - rows, rows).clone().DetachFromDisposeScope();
    }
}
