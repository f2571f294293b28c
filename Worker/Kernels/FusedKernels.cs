using TorchSharp;
using static TorchSharp.torch;

namespace Hearth.Kernels;

/// <summary>
/// Kernels of our own by what they compute. Each has a naive twin in plain TorchSharp where it is used; a method gives null (or false)
/// where only that form exists, so that models need not know which devices and types a kernel serves.
/// </summary>
public static class FusedKernels
{
    /// <summary>Set to see the naive twins where kernels exist: tests and benches compare the two.</summary>
    public static bool NaiveOnly { get; set; }

    /// <summary>
    /// Root-mean-square norm over the last dimension (arXiv 1910.07467), in the type <paramref name="output"/> where the kernel can write it, else in
    /// x's own; null where only the naive form exists (other than fp32, and fp64 on the CPU).
    /// </summary>
    public static Tensor? RmsNorm(Tensor x_BTD, Tensor weight_D, double eps, ScalarType output) =>
        NaiveOnly || x_BTD.dtype != weight_D.dtype ? null
        : OnCpu(x_BTD) ? Cpu.RmsNorm.Apply(x_BTD, weight_D, eps)
        : x_BTD.dtype == ScalarType.Float32 && output is ScalarType.Float32 or ScalarType.BFloat16 ? Cuda.RmsNorm.Apply(x_BTD, weight_D, eps, output)
        : null;

    /// <summary>silu(gate) ⊙ up in one pass; null where only the naive form exists (other than fp32 and bf16 on CUDA).</summary>
    public static Tensor? SwiGlu(Tensor gate, Tensor up) => OnCuda(gate) && gate.dtype == up.dtype ? Cuda.SwiGlu.Apply(gate, up) : null;

    /// <summary>
    /// Rotary positions of x [B,H,T,N] by tables [T,P], pairs (p, p+P) of the first 2P values; null where only the naive form
    /// exists.
    /// </summary>
    public static Tensor? Rope(Tensor x_BHTN, Tensor cos_TP, Tensor sin_TP) =>
        OnCuda(x_BHTN) && cos_TP.dtype == ScalarType.Float32 ? Cuda.Rope.Apply(x_BHTN, cos_TP, sin_TP) : null;

    /// <summary>
    /// Cross entropies [S] of logits [S,P] whose first <paramref name="vocab"/> columns count; the logits become their gradient,
    /// (1 + 2·z·logsumexp) softmax − one-hot, 0 in rows of a negative label. Only where <see cref="HasCrossEntropy"/> says so.
    /// </summary>
    /// <param name="softcap">C bends logits to C·tanh(logit/C) first; 0 is off.</param>
    /// <returns>Losses and squares of the logsumexp, both fp32.</returns>
    public static (Tensor Losses_S, Tensor Squares_S) CrossEntropy_(Tensor logits_SP, Tensor labels_S, long vocab, double z = 0, double softcap = 0) =>
        Cuda.CrossEntropy.Apply(logits_SP, labels_S, vocab, z, softcap);

    /// <summary>Whether <see cref="CrossEntropy_"/> has a kernel for logits of this type there.</summary>
    public static bool HasCrossEntropy(Device device, ScalarType compute) =>
        !NaiveOnly && device.type == DeviceType.CUDA && compute is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>
    /// The delta-rule scan: outputs and last state; null where only the naive form exists (other than fp32 and fp64 on the CPU with
    /// heads of 8, 16, 32 or 64 channels, and fp32 on CUDA with at most 64).
    /// </summary>
    public static (Tensor Y, Tensor State)? DeltaScan(Tensor r, Tensor k, Tensor v, Tensor alpha, Tensor beta, Tensor logW, Tensor state) =>
        !HasScan(r, r.size(-1)) ? null
        : OnCpu(r) ? Cpu.DeltaScan.Apply(r, k, v, alpha, beta, logW, state)
        : Cuda.DeltaScan.Apply(r, k, v, alpha, beta, logW, state);

    /// <summary>The SSD scan: outputs and last state; null where <see cref="DeltaScan"/> is.</summary>
    public static (Tensor Y, Tensor State)? SsdScan(Tensor x, Tensor logA, Tensor b, Tensor c, Tensor state) =>
        !HasScan(x, b.size(-1)) ? null
        : OnCpu(x) ? Cpu.SsdScan.Apply(x, logA, b, c, state)
        : Cuda.SsdScan.Apply(x, logA, b, c, state);

    /// <summary>Causal depthwise convolution of [B,T+J−1,C] by taps [C,J]; null where only the naive form exists (other than fp32 and fp64 on the CPU).</summary>
    public static Tensor? CausalConv(Tensor padded_BRC, Tensor taps_CJ) =>
        OnCpu(padded_BRC, taps_CJ) ? Cpu.CausalConv.Apply(padded_BRC, taps_CJ) : null;

    /// <summary>x [B,H,T,N] turned by learned angles [H or 1,T,N/2]; null where only the naive form exists, as above.</summary>
    public static Tensor? Rotate(Tensor x_BHTN, Tensor cos_HTP, Tensor sin_HTP) =>
        OnCpu(x_BHTN, cos_HTP) ? Cpu.Rotation.Apply(x_BHTN, cos_HTP, sin_HTP) : null;

    /// <summary>
    /// softmax(q kᵀ) v, unscaled, where row t sees keys 0..t, [B,H,T,N] with values of any width; null where only the naive form exists, as above.
    /// </summary>
    public static Tensor? CausalAttention(Tensor q_BHTN, Tensor k_BHTN, Tensor v_BHTM) =>
        HasCausalAttention(q_BHTN) ? Cpu.CausalAttention.Apply(q_BHTN, k_BHTN, v_BHTM) : null;

    /// <summary>Whether <see cref="CausalAttention"/> has a kernel for queries of this type there.</summary>
    public static bool HasCausalAttention(Tensor q_BHTN) => OnCpu(q_BHTN, q_BHTN);

    /// <summary>
    /// Euler steps of coupled oscillators that keep only their inputs for the backward pass: phases, and with controllers their last
    /// observation and fast weights (empty before the second observation). Made of operators that every device has; null when the naive twin is wanted.
    /// </summary>
    public static Tensor[]? Kuramoto(Oscillators o) => NaiveOnly ? null : KuramotoSteps.Apply(o);

    /// <summary>One AdamW step over all tensors at once; false where only the naive form exists.</summary>
    public static bool AdamW(Tensor[] weights, Tensor[] grads, Tensor[] first, Tensor[] second, AdamWStep step) =>
        weights.Length == 0
        || (weights[0].device_type == DeviceType.CUDA
            ? !NaiveOnly && weights[0].dtype == ScalarType.Float32 && Cuda.AdamW.Step(weights, grads, first, second, step)
            : !NaiveOnly && weights[0].dtype is ScalarType.Float32 or ScalarType.Float64 && Cpu.AdamW.Step(weights, grads, first, second, step));

    /// <summary>
    /// One AdamW step of all parameters at once whose moments are 8-bit codes; steps are clamped to <paramref name="limit"/>. False
    /// where only the naive form exists (fp64 on CUDA).
    /// </summary>
    public static bool AdamW8(CodedParameters all, AdamWStep step, double limit) =>
        !NaiveOnly && (all.Weights[0].device_type == DeviceType.CUDA
            ? all.Weights[0].dtype != ScalarType.Float64 && Cuda.AdamW8.Step(all, step, limit)
            : Cpu.AdamW8.Step(all, step, limit));

    /// <summary>L2 norms of tensors of one type, each a scalar, in one pass; null where only one by one is exact to the bit (a CPU).</summary>
    public static Tensor[]? Norms(Tensor[] tensors) => NaiveOnly || tensors[0].device_type != DeviceType.CUDA ? null : Cuda.Norms.Of(tensors);

    private static bool OnCpu(Tensor x) => x.device_type == DeviceType.CPU && x.dtype is ScalarType.Float32 or ScalarType.Float64;

    private static bool OnCpu(Tensor x, Tensor weight) => !NaiveOnly && OnCpu(x) && x.dtype == weight.dtype;

    private static bool OnCuda(Tensor x) => !NaiveOnly && x.device_type == DeviceType.CUDA && x.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    private static bool HasScan(Tensor x_BTHN, long states) => !NaiveOnly && (x_BTHN.device_type == DeviceType.CPU
        ? OnCpu(x_BTHN) && x_BTHN.size(-1) is 8 or 16 or 32 or 64
        : x_BTHN.dtype == ScalarType.Float32 && x_BTHN.size(-1) <= Cuda.ScanKernels.MostChannels && states <= Cuda.ScanKernels.MostChannels);
}
