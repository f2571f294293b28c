using Hearth.Kernels;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

// B batch, T time, S keys, H query heads, K key/value heads, N head width, D model width, E width of all key/value heads.
namespace Hearth.Models.Hybrid;

/// <summary>
/// Grouped-query attention over the last <c>window</c> rows and the own one, or over all: values with the value embedding,
/// weight-free norm on queries and keys, positions on a part of the head, a gain per query head, and in the last layers
/// removal of the own value's direction (XSA, parameter-golf).
/// </summary>
internal sealed class WindowAttention(HybridConfig config, int index, Tensor? valueScale_1, Weights w) : Mixer<HybridContext>
{
    private readonly Tensor _q = w.Matrix("q", config.DModel, config.DModel, Init.Orthogonal());
    private readonly Tensor _k = w.Matrix("k", config.KvDim, config.DModel, Init.Orthogonal());
    private readonly Tensor _v = w.Matrix("v", config.KvDim, config.DModel, Init.Orthogonal());
    private readonly Tensor _proj = w.Matrix("proj", config.DModel, config.DModel, Init.Zeros);
    private readonly Tensor _gain_H = w.Decayed("q_gain", Init.Constant(config.QkGainInit), config.NHead);
    private readonly int? _window = config.WindowOf(index);
    private readonly bool _removesValue = config.RemovesValue(index);

    // The ladder of frequencies is that of the whole head, of which only the first are used: θ^(−2i/N) = θ'^(−2i/rope_dims).
    private readonly double _theta = Math.Pow(config.RopeTheta, config.RopeDims / (double)config.HeadDim);

    public override Tensor Forward(Tensor x_BTD, HybridContext context)
    {
        long batch = x_BTD.size(0), time = x_BTD.size(1);
        var v_BTE = context.Linear(x_BTD, _v);
        if (valueScale_1 is not null)
        {
            v_BTE = v_BTE + (context.Values_BTE! * valueScale_1);
        }

        var q_BHTN = Turn(Split(context.Linear(x_BTD, _q), config.NHead), context) * _gain_H.view(1, -1, 1, 1);
        var k_BKTN = Turn(Split(context.Linear(x_BTD, _k), config.NKvHead), context).to(context.Compute);
        var v_BKTN = Split(v_BTE, config.NKvHead).to(context.Compute);
        var y_BHTN = Attend(q_BHTN.to(context.Compute), k_BKTN, v_BKTN, context);
        if (_removesValue)
        {
            y_BHTN = WindowScores.RemoveDirection(y_BHTN, Repeat(v_BKTN));
        }

        return context.Linear(y_BHTN.transpose(1, 2).reshape(batch, time, config.DModel), _proj);
    }

    private Tensor Attend(Tensor q_BHTN, Tensor k_BKTN, Tensor v_BKTN, HybridContext context)
    {
        var (k_BKSN, v_BKSN) = context.Past.Extend(this, k_BKTN, v_BKTN, _window);
        var (k_BHSN, v_BHSN) = (Repeat(k_BKSN), Repeat(v_BKSN));
        long time = q_BHTN.size(2);
        return _window is { } window && k_BHSN.size(2) == time && time > 2 * window
            ? WindowScores.Blocks(q_BHTN, k_BHSN, v_BHSN, window)
            : WindowScores.Dense(q_BHTN, k_BHSN, v_BHSN, _window);
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

    private Tensor Repeat(Tensor x_BKSN) => Attention.Repeat(x_BKSN, config.NHead);
}
