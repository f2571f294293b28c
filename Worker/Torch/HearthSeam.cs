using static TorchSharp.torch;

namespace Hearth.Torch;

/// <summary>The one file with what TorchSharp lacks: kernels of our own. A build against TorchSharp swaps it for the naive twins.</summary>
public static class HearthSeam
{
    /// <summary>Root-mean-square norm over the last dimension; null where only the naive form exists (other than fp32 and fp64 on the CPU).</summary>
    public static Tensor? RmsNorm(Tensor x_BTD, Tensor weight_D, double eps) =>
        x_BTD.device.index < 0 && x_BTD.dtype == weight_D.dtype && x_BTD.dtype is float32 or float64 ? Ops.RmsNorm.One(x_BTD, weight_D, eps) : null;

    /// <summary>
    /// The delta-rule scan: outputs and last state; null where only the naive form exists (other than fp32 and fp64 on the CPU with
    /// heads of 8, 16, 32 or 64 channels).
    /// </summary>
    public static (Tensor Y, Tensor State)? DeltaScan(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state) =>
        HasScan(r) ? Two(Ops.DeltaScan.Many(r, k, v, alpha, beta, logW, state)) : null;

    /// <summary>The SSD scan: outputs and last state; null where <see cref="DeltaScan"/> is.</summary>
    public static (Tensor Y, Tensor State)? SsdScan(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state) =>
        HasScan(x) ? Two(Ops.SsdScan.Many(x, logA, b, c, state)) : null;

    /// <summary>Causal depthwise convolution of [B,T+J−1,C] by taps [C,J]; null where only the naive form exists (other than fp32 and fp64 on the CPU).</summary>
    public static Tensor? CausalConv(Tensor padded_BRC, Tensor taps_CJ) =>
        OnCpu(padded_BRC, taps_CJ) ? Ops.CausalConv.One(padded_BRC, taps_CJ) : null;

    /// <summary>x [B,H,T,N] turned by learned angles [H or 1,T,N/2]; null where only the naive form exists, as above.</summary>
    public static Tensor? Rotate(Tensor x_BHTN, Tensor cos_HTP, Tensor sin_HTP) =>
        OnCpu(x_BHTN, cos_HTP) ? Ops.Rotate.One(x_BHTN, cos_HTP, sin_HTP) : null;

    /// <summary>
    /// softmax(q kᵀ) v, unscaled, where row t sees keys 0..t; null where only the naive form exists, as above, and where libtorch
    /// has a kernel of its own.
    /// </summary>
    public static Tensor? CausalAttention(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTN) =>
        HasCausalAttention(q_BHTN) ? Ops.CausalAttention.One(q_BHTN, k_BHTN, v_BHTN) : null;

    public static bool HasCausalAttention(Tensor q) => OnCpu(q, q) && !Ops.Sdpa.Exists;

    /// <summary>One AdamW step over all tensors at once; false where only the naive form exists.</summary>
    public static bool AdamW(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        if (weights.Length == 0)
        {
            return true;
        }

        if (weights[0].device.index >= 0 || weights[0].dtype is not (float32 or float64))
        {
            return false;
        }

        Ops.AdamW.Do(weights, grads, first, second, step.Lr, step.Beta1, step.Beta2, step.Eps, step.WeightDecay, step.Step, step.Scale);
        return true;
    }

    private static bool OnCpu(Tensor x, Tensor weight) => x.device.index < 0 && x.dtype == weight.dtype && x.dtype is float32 or float64;

    private static bool HasScan(Tensor x_BTHN) =>
        x_BTHN.device.index < 0 && x_BTHN.dtype is float32 or float64 && x_BTHN.size(-1) is 8 or 16 or 32 or 64;

    private static (Tensor Y, Tensor State) Two(Tensor[] both) => (both[0], both[1]);
}

/// <param name="Step">Counts from 1.</param>
/// <param name="Scale">Factor on every gradient first (clipping).</param>
public readonly record struct AdamWStep(double Lr, double Beta1, double Beta2, double Eps, double WeightDecay, long Step, double Scale);
