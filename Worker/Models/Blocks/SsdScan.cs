using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, H heads, P head width, N state width, C steps of a chunk.
namespace Hearth.Models.Blocks;

/// <summary>What drives the state of an SSD scan, fp32 or fp64.</summary>
/// <param name="X">[B,T,H,P].</param>
/// <param name="LogA">Log of the decay [B,T,H], ≤ 0.</param>
/// <param name="B">How x enters the state [B,T,N], one group for all heads.</param>
/// <param name="C">How the state is read [B,T,N].</param>
public sealed record SsdInputs(Tensor X, Tensor LogA, Tensor B, Tensor C);

/// <summary>
/// The state update of Mamba-2 (Dao &amp; Gu, arXiv 2405.21060), h [P,N]: h_t = a_t h_{t−1} + x_t B_tᵀ, y_t = h_t C_t.
/// </summary>
public static class SsdScan
{
    /// <summary>Outputs [B,T,H,P] and the last state [B,H,P,N], by the kernel where there is one, else in chunks.</summary>
    /// <param name="inputs">At least one step.</param>
    /// <param name="state_BHPN">The state before the first step.</param>
    /// <param name="chunk">Steps of a chunk in the chunked form.</param>
    public static (Tensor Y_BTHP, Tensor State_BHPN) Run(SsdInputs inputs, Tensor state_BHPN, int chunk = 64) =>
        FusedKernels.SsdScan(inputs.X, inputs.LogA, inputs.B, inputs.C, state_BHPN) ?? Chunked(inputs, state_BHPN, chunk);

    /// <summary>A state of zeros.</summary>
    public static Tensor Start(SsdInputs inputs)
    {
        long[] shape = inputs.X.shape;
        return zeros([shape[0], shape[2], shape[3], inputs.B.size(2)], inputs.X.dtype, inputs.X.device);
    }

    /// <summary>The recurrence itself, step by step: the truth that the other forms are tested against.</summary>
    public static (Tensor Y_BTHP, Tensor State_BHPN) Naive(SsdInputs inputs, Tensor state_BHPN)
    {
        var outputs = new List<Tensor>();
        for (long t = 0; t < inputs.X.size(1); t++)
        {
            var a_BH11 = inputs.LogA.select(1, t).exp().unsqueeze(-1).unsqueeze(-1);
            var b_B11N = inputs.B.select(1, t).unsqueeze(1).unsqueeze(1);
            var c_B1N1 = inputs.C.select(1, t).unsqueeze(1).unsqueeze(-1);
            state_BHPN = (a_BH11 * state_BHPN) + (inputs.X.select(1, t).unsqueeze(-1) * b_B11N);
            outputs.Add(state_BHPN.matmul(c_B1N1).select(3, 0));
        }

        return (stack(outputs, 1), state_BHPN);
    }

    /// <summary>
    /// Matrix products over chunks: decays between two steps are exponentials of masked differences of summed logs, never of
    /// either factor, so that none overflows.
    /// </summary>
    public static (Tensor Y_BTHP, Tensor State_BHPN) Chunked(SsdInputs inputs, Tensor state_BHPN, int chunk = 64)
    {
        long time = inputs.X.size(1);
        var outputs = new List<Tensor>();
        for (long first = 0; first < time; first += chunk)
        {
            long steps = Math.Min(chunk, time - first);
            Tensor Cut(Tensor x) => x.narrow(1, first, steps);
            var x_BHCP = Cut(inputs.X).transpose(1, 2);
            var sum_BHC = RunningSum.Along(Cut(inputs.LogA).transpose(1, 2), 2);
            var b_B1CN = Cut(inputs.B).unsqueeze(1);
            var c_B1CN = Cut(inputs.C).unsqueeze(1);
            var future_CC = ones([steps, steps], ScalarType.Bool, inputs.X.device).triu(1);
            var decay_BHCC = (sum_BHC.unsqueeze(3) - sum_BHC.unsqueeze(2)).masked_fill(future_CC, double.NegativeInfinity).exp();
            var inside_BHCP = (decay_BHCC * c_B1CN.matmul(b_B1CN.transpose(2, 3))).matmul(x_BHCP);
            var carried_BHCP = c_B1CN.matmul(state_BHPN.transpose(2, 3)) * sum_BHC.exp().unsqueeze(3);
            outputs.Add((inside_BHCP + carried_BHCP).transpose(1, 2));

            var last_BH1 = sum_BHC.narrow(2, steps - 1, 1);
            var left_BHC1 = (last_BH1 - sum_BHC).exp().unsqueeze(3);
            state_BHPN = (last_BH1.exp().unsqueeze(3) * state_BHPN) + (x_BHCP * left_BHC1).transpose(2, 3).matmul(b_B1CN);
        }

        return (cat(outputs, 1), state_BHPN);
    }
}
