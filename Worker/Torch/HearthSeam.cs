using static TorchSharp.torch;

namespace Hearth.Torch;

/// <summary>The one file with what TorchSharp lacks: kernels of our own, and what tensors hold. A build against TorchSharp swaps it for the naive twins.</summary>
public static class HearthSeam
{
    // Channels and states that a CUDA scan keeps in registers.
    private const long MostOnCuda = 64;

    /// <summary>Set to see the naive twins where kernels exist: tests and benches compare the two.</summary>
    public static bool NaiveOnly { get; set; }

    /// <summary>
    /// Root-mean-square norm over the last dimension, in the type <paramref name="output"/> where the kernel can write it, else in
    /// x's own; null where only the naive form exists (other than fp32, and fp64 on the CPU).
    /// </summary>
    public static Tensor? RmsNorm(Tensor x_BTD, Tensor weight_D, double eps, ScalarType output)
    {
        if (NaiveOnly || x_BTD.dtype != weight_D.dtype)
        {
            return null;
        }

        if (x_BTD.device.index < 0)
        {
            return x_BTD.dtype is float32 or float64 ? Ops.RmsNorm.One(x_BTD, weight_D, eps) : null;
        }

        return x_BTD.dtype == float32 && output is float32 or bfloat16 ? Ops.RmsNormTo.One(x_BTD, weight_D, eps, output == bfloat16) : null;
    }

    /// <summary>silu(gate) ⊙ up in one pass; null where only the naive form exists (other than fp32 and bf16 on CUDA).</summary>
    public static Tensor? SwiGlu(Tensor gate, Tensor up) => OnCuda(gate) && gate.dtype == up.dtype ? Ops.SwiGlu.One(gate, up) : null;

    /// <summary>
    /// Rotary positions of x [B,H,T,N] by tables [T,P], pairs (p, p+P) of the first 2P values; null where only the naive form
    /// exists.
    /// </summary>
    public static Tensor? Rope(Tensor x_BHTN, Tensor cos_TP, Tensor sin_TP) =>
        OnCuda(x_BHTN) && cos_TP.dtype == float32 ? Ops.Rope.One(x_BHTN.transpose(1, 2), cos_TP, sin_TP).transpose(1, 2) : null;

    /// <summary>
    /// Cross entropies [S] of logits [S,P] whose first <paramref name="vocab"/> columns count; the logits become their gradient,
    /// (1 + 2·z·logsumexp) softmax − one-hot, 0 in rows of a negative label. Only where <see cref="HasCrossEntropy"/> says so.
    /// </summary>
    /// <param name="softcap">C bends logits to C·tanh(logit/C) first; 0 is off.</param>
    /// <returns>Losses and squares of the logsumexp, both fp32.</returns>
    public static (Tensor Losses_S, Tensor Squares_S) CrossEntropy_(Tensor logits_SP, Tensor labels_S, long vocab, double z = 0, double softcap = 0) =>
        Two(Ops.CrossEntropy.Many(logits_SP, labels_S, vocab, z, softcap));

    /// <summary>Whether <see cref="CrossEntropy_"/> has a kernel for logits of this type there.</summary>
    public static bool HasCrossEntropy(Device device, ScalarType compute) => !NaiveOnly && device.index >= 0 && compute is float32 or bfloat16;

    /// <summary>
    /// The delta-rule scan: outputs and last state; null where only the naive form exists (other than fp32 and fp64 on the CPU with
    /// heads of 8, 16, 32 or 64 channels, and fp32 on CUDA with at most 64).
    /// </summary>
    public static (Tensor Y, Tensor State)? DeltaScan(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state) =>
        HasScan(r, r.size(-1)) ? Two(Ops.DeltaScan.Many(r, k, v, alpha, beta, logW, state)) : null;

    /// <summary>The SSD scan: outputs and last state; null where <see cref="DeltaScan"/> is.</summary>
    public static (Tensor Y, Tensor State)? SsdScan(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state) =>
        HasScan(x, b.size(-1)) ? Two(Ops.SsdScan.Many(x, logA, b, c, state)) : null;

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

    /// <summary>
    /// Euler steps of coupled oscillators that keep only their inputs for the backward pass: phases, and with controllers their last
    /// observation and fast weights (empty before the second observation). Never null here: the kernel is made of operators that
    /// every device has.
    /// </summary>
    public static Tensor[]? Kuramoto(Oscillators o) => Ops.Kuramoto.Many(
        o.Theta_BTN, o.Omega_BTN, o.Injection_BTN, o.K_RR, o.Alpha_R, o.CenterPhase, o.CenterOmega, o.CenterGain_R, o.Decode_ROI, o.Last_BTRF,
        o.Fast_BTRFF, o.Means_NR, o.Spread_RN, o.Steps, o.Dt);

    /// <summary>One AdamW step over all tensors at once; false where only the naive form exists.</summary>
    public static bool AdamW(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        if (weights.Length == 0)
        {
            return true;
        }

        if (weights[0].device.index >= 0)
        {
            return !NaiveOnly && weights[0].dtype == float32 && AdamWOnCuda(weights, grads, first, second, step);
        }

        if (weights[0].dtype is not (float32 or float64))
        {
            return false;
        }

        Ops.AdamW.Do(weights, grads, first, second, step.Lr, step.Beta1, step.Beta2, step.Eps, step.WeightDecay, step.Step, step.Scale);
        return true;
    }

    /// <summary>
    /// One AdamW step of all parameters at once whose moments are 8-bit codes; steps are clamped to <paramref name="limit"/>. False
    /// where only the naive form exists (fp64 on CUDA).
    /// </summary>
    public static bool AdamW8(CodedParameters all, AdamWStep step, double limit)
    {
        if (NaiveOnly || (all.Weights[0].device.index >= 0 && all.Weights[0].dtype == float64))
        {
            return false;
        }

        Ops.AdamW8.Do(
            all.Weights,
            all.Grads,
            all.First.Codes,
            all.First.Scales,
            all.Second.Codes,
            all.Second.Scales,
            (Tensor[])[.. all.First.Map, .. all.Second.Map],
            all.Keys,
            step.Lr,
            step.Beta1,
            step.Beta2,
            step.Eps,
            step.WeightDecay,
            step.CoupledDecay,
            step.Step,
            step.Scale,
            limit);
        return true;
    }

    /// <summary>L2 norms of tensors of one type, each a scalar, in one pass; null where only one by one is exact to the bit (a CPU).</summary>
    public static Tensor[]? Norms(Tensor[] tensors) =>
        NaiveOnly || tensors[0].device.index < 0 ? null
        : tensors[0].dtype == bfloat16 ? Ops.ForeachNorm.Many(tensors, 2, float32)
        : Ops.ForeachNorm.Many(tensors, 2);

    /// <summary>Bytes that tensors hold on a device now, and the most since the peak was last restarted.</summary>
    public static unsafe (long Allocated, long Peak) Memory(Device device, bool restartPeak = false)
    {
        long allocated, peak;
        Native.Check(Native.ht_memory(device.index, restartPeak ? 1 : 0, &allocated, &peak));
        return (allocated, peak);
    }

    private static bool OnCpu(Tensor x, Tensor weight) => x.device.index < 0 && x.dtype == weight.dtype && x.dtype is float32 or float64;

    private static bool HasScan(Tensor x_BTHN, long states) => !NaiveOnly && (x_BTHN.device.index < 0
        ? x_BTHN.dtype is float32 or float64 && x_BTHN.size(-1) is 8 or 16 or 32 or 64
        : x_BTHN.dtype == float32 && x_BTHN.size(-1) <= MostOnCuda && states <= MostOnCuda);

    private static (Tensor Y, Tensor State) Two(Tensor[] both) => (both[0], both[1]);

    private static bool OnCuda(Tensor x) => !NaiveOnly && x.device.index >= 0 && x.dtype is float32 or bfloat16;

    // The library's own multi-tensor kernel. It divides gradients by a scale where ours multiplies.
    private static bool AdamWOnCuda(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step)
    {
        if (!Ops.FusedAdamW.Exists)
        {
            return false;
        }

        var count = full([], step.Step, float32, weights[0].device);
        var divisor = step.Scale == 1 ? null : full([], 1 / step.Scale, float32, weights[0].device);
        Ops.FusedAdamW.Do(
            weights,
            grads,
            first,
            second,
            Array.Empty<Tensor>(),
            Enumerable.Repeat(count, weights.Length).ToArray(),
            step.Lr,
            step.Beta1,
            step.Beta2,
            step.WeightDecay,
            step.Eps,
            false,
            false,
            divisor);
        return true;
    }
}

/// <summary>What moves one layer's N oscillators in R rings; the optional ones are an injected drive and the controllers' state.</summary>
public sealed record Oscillators(Tensor Theta_BTN, Tensor Omega_BTN, Tensor? Injection_BTN)
{
    public required Tensor K_RR { get; init; }
    public required Tensor Alpha_R { get; init; }
    public required Tensor CenterPhase { get; init; }
    public required Tensor CenterOmega { get; init; }
    public required Tensor CenterGain_R { get; init; }
    public Tensor? Decode_ROI { get; init; }
    public Tensor? Last_BTRF { get; init; }
    public Tensor? Fast_BTRFF { get; init; }
    public required Tensor Means_NR { get; init; }
    public required Tensor Spread_RN { get; init; }
    public required int Steps { get; init; }
    public required double Dt { get; init; }
}

/// <param name="Step">Counts from 1.</param>
/// <param name="Scale">Factor on every gradient first (clipping).</param>
public readonly record struct AdamWStep(double Lr, double Beta1, double Beta2, double Eps, double WeightDecay, long Step, double Scale)
{
    /// <summary>Adam's older form of decay: wd·W joins the scaled gradient. 0 beside a <see cref="WeightDecay"/>.</summary>
    public double CoupledDecay { get; init; }
}

/// <summary>Parameters of one type with 8-bit moments, as lists of equal length.</summary>
/// <param name="Keys">Of each parameter's random numbers in this step; bf16 weights read it.</param>
public sealed record CodedParameters(Tensor[] Weights, Tensor[] Grads, CodedMoments First, CodedMoments Second, long[] Keys);

/// <summary>One of both moments of several parameters.</summary>
/// <param name="Codes">An unsigned byte an element.</param>
/// <param name="Scales">One a block, fp32.</param>
/// <param name="Map">Values and the middles between them, in the type of the arithmetic.</param>
public sealed record CodedMoments(Tensor[] Codes, Tensor[] Scales, Tensor[] Map);
