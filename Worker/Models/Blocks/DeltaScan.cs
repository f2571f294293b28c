using Hearth.Kernels;
using static TorchSharp.torch;

// B batch, T time, H heads, N head width, C steps of a chunk.
namespace Hearth.Models.Blocks;

/// <summary>What drives the state of a delta-rule scan; each [B,T,H,N], fp32 or fp64.</summary>
/// <param name="R">Reads the state after the step.</param>
/// <param name="K">Key that <paramref name="V"/> is written under.</param>
/// <param name="V">Value.</param>
/// <param name="Alpha">Reads what is removed from the state before the step.</param>
/// <param name="Beta">Where the read is added.</param>
/// <param name="LogW">Log of the decay, ≤ 0, as low as −100.</param>
public sealed record DeltaInputs(Tensor R, Tensor K, Tensor V, Tensor Alpha, Tensor Beta, Tensor LogW);

/// <summary>
/// The generalised delta rule's state update of RWKV-7 (Peng et al., arXiv 2503.14456, eq. 17), S [N,N] with rows = key index:
/// u_t = S_{t−1}ᵀα_t, S_t = diag(w_t)S_{t−1} + β_t u_tᵀ + k_t v_tᵀ, y_t = S_tᵀ r_t.
/// </summary>
public static class DeltaScan
{
    private const int ChunkSteps = 16;

    /// <summary>Outputs [B,T,H,N] and the last state [B,H,N,N], by the kernel where there is one, else in chunks.</summary>
    /// <param name="inputs">At least one step.</param>
    /// <param name="state_BHNN">The state before the first step.</param>
    public static (Tensor Y_BTHN, Tensor State_BHNN) Run(DeltaInputs inputs, Tensor state_BHNN) =>
        FusedKernels.DeltaScan(inputs.R, inputs.K, inputs.V, inputs.Alpha, inputs.Beta, inputs.LogW, state_BHNN) ?? Chunked(inputs, state_BHNN);

    /// <summary>A state of zeros for inputs like <paramref name="like_BTHN"/>.</summary>
    public static Tensor Start(Tensor like_BTHN)
    {
        long[] shape = like_BTHN.shape;
        return zeros([shape[0], shape[2], shape[3], shape[3]], like_BTHN.dtype, like_BTHN.device);
    }

    /// <summary>The recurrence itself, step by step: the truth that the other forms are tested against.</summary>
    public static (Tensor Y_BTHN, Tensor State_BHNN) Naive(DeltaInputs inputs, Tensor state_BHNN)
    {
        var outputs = new List<Tensor>();
        for (long t = 0; t < inputs.R.size(1); t++)
        {
            Tensor Column(Tensor x_BTHN) => x_BTHN.select(1, t).unsqueeze(-1);
            var u_BH1N = Column(inputs.Alpha).transpose(-1, -2).matmul(state_BHNN);
            state_BHNN = (Column(inputs.LogW.exp()) * state_BHNN) + (Column(inputs.Beta) * u_BH1N)
                + (Column(inputs.K) * Column(inputs.V).transpose(-1, -2));
            outputs.Add(Column(inputs.R).transpose(-1, -2).matmul(state_BHNN).select(2, 0));
        }

        return (stack(outputs, 1), state_BHNN);
    }

    /// <summary>
    /// Matrix products over chunks of 16 steps. Every exponent is a difference of summed log decays and ≤ 0, exponentiated per
    /// channel, so any decay is safe.
    /// </summary>
    public static (Tensor Y_BTHN, Tensor State_BHNN) Chunked(DeltaInputs inputs, Tensor state_BHNN)
    {
        long time = inputs.R.size(1);
        var outputs = new List<Tensor>();
        for (long first = 0; first < time; first += ChunkSteps)
        {
            long steps = Math.Min(ChunkSteps, time - first);
            Tensor Cut(Tensor x_BTHN) => x_BTHN.narrow(1, first, steps).transpose(1, 2);
            (var y_BHCN, state_BHNN) = Chunk(
                new DeltaInputs(Cut(inputs.R), Cut(inputs.K), Cut(inputs.V), Cut(inputs.Alpha), Cut(inputs.Beta), Cut(inputs.LogW)),
                state_BHNN);
            outputs.Add(y_BHCN.transpose(1, 2));
        }

        return (cat(outputs, 1), state_BHNN);
    }

    private static (Tensor Y_BHCN, Tensor State_BHNN) Chunk(DeltaInputs x, Tensor state_BHNN)
    {
        long steps = x.R.size(2);
        var sum_BHCN = RunningSum.Along(x.LogW, 2);
        var before_BHCN = sum_BHCN - x.LogW;
        var strict_CC1 = ones([steps, steps], ScalarType.Bool, x.R.device).triu().unsqueeze(2);
        var future_CC1 = ones([steps, steps], ScalarType.Bool, x.R.device).triu(1).unsqueeze(2);
        var read_BHCCN = x.R.unsqueeze(3) * Decay(sum_BHCN, sum_BHCN, future_CC1);
        var removed_BHCCN = x.Alpha.unsqueeze(3) * Decay(before_BHCN, sum_BHCN, strict_CC1);

        // (I − A^{αβ}) U = A^{αk} V + (α ⊙ e^{G⁻}) S₀
        var right_BHCN = Weigh(removed_BHCCN, x.K).matmul(x.V) + (x.Alpha * before_BHCN.exp()).matmul(state_BHNN);
        var u_BHCN = linalg.solve_triangular(Weigh(removed_BHCCN, x.Beta) * -1.0, right_BHCN, upper: false, unitriangular: true);
        var y_BHCN = (x.R * sum_BHCN.exp()).matmul(state_BHNN) + Weigh(read_BHCCN, x.K).matmul(x.V) + Weigh(read_BHCCN, x.Beta).matmul(u_BHCN);

        var last_BH1N = sum_BHCN.narrow(2, steps - 1, 1);
        var left_BHCN = (last_BH1N - sum_BHCN).exp();
        var next_BHNN = (last_BH1N.exp().transpose(2, 3) * state_BHNN)
            + (x.K * left_BHCN).transpose(2, 3).matmul(x.V) + (x.Beta * left_BHCN).transpose(2, 3).matmul(u_BHCN);
        return (y_BHCN, next_BHNN);
    }

    // e^{a_i − b_j} per channel, 0 where the mask says that step j is not before step i.
    private static Tensor Decay(Tensor a_BHCN, Tensor b_BHCN, Tensor mask_CC1) =>
        (a_BHCN.unsqueeze(3) - b_BHCN.unsqueeze(2)).masked_fill(mask_CC1, double.NegativeInfinity).exp();

    private static Tensor Weigh(Tensor rows_BHCCN, Tensor columns_BHCN) => (rows_BHCCN * columns_BHCN.unsqueeze(2)).sum(-1);
}
