using Hearth.Kernels;
using static TorchSharp.torch;

// N rows, D model width, E experts, K choices a row, A = N·K assignments, S rows of one expert.
namespace Hearth.Models.Blocks;

/// <summary>Which experts each row goes to, and how much each counts.</summary>
/// <param name="Probabilities_NE">softmax of the router's logits, at least fp32, with gradient.</param>
/// <param name="Experts_NK">Chosen experts, likeliest first, int64.</param>
/// <param name="Gates_NK">Factors on the experts' outputs, with gradient.</param>
public sealed record Routing(Tensor Probabilities_NE, Tensor Experts_NK, Tensor Gates_NK);

/// <summary>A limit on the rows of one expert, for training only.</summary>
/// <param name="Factor">c: an expert takes at most ⌈c·N·K/E⌉ rows.</param>
/// <param name="Order">The place in the queue of each of the N rows; the first come, the first served.</param>
public sealed record ExpertCapacity(double Factor, IReadOnlyList<long> Order)
{
    /// <summary>The queue of rows [B,T] flattened row by row: by position, then by row.</summary>
    public static ExpertCapacity ByPosition(double factor, int batch, int time) =>
        new(factor, [.. Enumerable.Range(0, batch * time).Select(n => ((long)(n % time) * batch) + (n / time))]);
}

/// <summary>
/// Mixture of experts by top-k routing (Shazeer et al., arXiv 1701.06538; Fedus et al., arXiv 2101.03961): choice, losses of the
/// router, and dispatch. What an expert computes is the caller's.
/// </summary>
public static class Experts
{
    /// <summary>
    /// Chooses <paramref name="topK"/> experts a row; of equal probabilities the lowest id. The gate of one choice is its
    /// probability, so that the router gets gradient; several are normalised to a sum of 1.
    /// </summary>
    /// <param name="logits_NE">The router's output.</param>
    /// <param name="topK">1 to E.</param>
    public static Routing Route(Tensor logits_NE, int topK)
    {
        long experts = logits_NE.size(1);
        if (topK < 1 || topK > experts)
        {
            throw new ArgumentOutOfRangeException(nameof(topK), topK, $"topK is {topK}. Allowed: 1 to {experts}.");
        }

        var p_NE = Wide(logits_NE).softmax(-1);
        var left_NE = p_NE.detach();
        var chosen = new Tensor[topK];
        for (int k = 0; k < topK; k++)
        {
            // argmax gives the first of equals, which topk does not promise.
            chosen[k] = left_NE.argmax(-1).unsqueeze(1);
            if (k + 1 < topK)
            {
                left_NE = left_NE.clone();
                left_NE.scatter_add_(1, chosen[k], full([left_NE.size(0), 1], double.NegativeInfinity, left_NE.dtype, left_NE.device));
            }
        }

        var experts_NK = cat(chosen, 1);
        var gates_NK = p_NE.gather(1, experts_NK);
        return new Routing(p_NE, experts_NK, topK == 1 ? gates_NK : gates_NK / gates_NK.sum(1, true));
    }

    /// <summary>
    /// E·Σ_e f_e·P_e: f the share of assignments (no gradient), P the mean probability; 1 when all is even (Switch, eq. 4).
    /// </summary>
    public static Tensor LoadBalance(Routing routing)
    {
        long experts = routing.Probabilities_NE.size(1);
        return (Shares(routing) * routing.Probabilities_NE.mean([0])).sum() * (double)experts;
    }

    /// <summary>f [E]: the share of assignments that each expert got before any limit; sums to 1.</summary>
    public static Tensor Shares(Routing routing)
    {
        var p_NE = routing.Probabilities_NE;
        var counts_E = zeros([p_NE.size(1)], p_NE.dtype, p_NE.device);
        var chosen_A = routing.Experts_NK.flatten();
        counts_E.scatter_add_(0, chosen_A, ones([chosen_A.numel()], p_NE.dtype, p_NE.device));
        return counts_E / (double)chosen_A.numel();
    }

    /// <summary>mean(logsumexp(s)²): keeps the router's logits small (ST-MoE, arXiv 2202.08906, eq. 5).</summary>
    public static Tensor RouterZ(Tensor logits_NE) => Wide(logits_NE).logsumexp(-1).pow(2).mean();

    /// <summary>
    /// Σ_k gate·expert(x): rows are sorted by expert, each expert runs once on its slice, results return to their rows. Without a
    /// limit nothing is dropped; with one, what does not fit loses that choice and its gate, the other choices are unchanged.
    /// </summary>
    /// <param name="x_ND">Rows.</param>
    /// <param name="routing">Of the same rows.</param>
    /// <param name="expert">
    /// What expert e makes of its rows [S,D]: [S,D]. Where gradients are kept it may be called with none: an idle expert then has a
    /// gradient of 0, so that it decays and its moments fade as others' do.
    /// </param>
    /// <param name="capacity">Null = dropless, which decoding needs to equal recomputation.</param>
    public static Tensor Dispatch(Tensor x_ND, Routing routing, Func<int, Tensor, Tensor> expert, ExpertCapacity? capacity = null)
    {
        long choices = routing.Experts_NK.size(1);
        int experts = (int)routing.Probabilities_NE.size(1);
        var plan = DispatchPlan.Of(routing.Experts_NK.HostArray<long>(), (int)choices, experts, capacity);
        var sorted_SD = x_ND.index_select(0, Index(plan.Rows, x_ND.device));
        var outputs = new List<Tensor>();
        long first = 0;
        for (int e = 0; e < experts; e++)
        {
            if (plan.Counts[e] > 0 || is_grad_enabled())
            {
                outputs.Add(expert(e, sorted_SD.narrow(0, first, plan.Counts[e])));
                first += plan.Counts[e];
            }
        }

        // Dropped assignments read a row of zeros at the end.
        if (plan.Rows.Length < plan.Places.Length)
        {
            outputs.Add(zeros([1, x_ND.size(1)], outputs.Count > 0 ? outputs[0].dtype : x_ND.dtype, x_ND.device));
        }

        var back_NKD = cat(outputs).index_select(0, Index(plan.Places, x_ND.device)).view(x_ND.size(0), choices, -1);
        return (back_NKD * routing.Gates_NK.unsqueeze(2)).sum(1);
    }

    /// <summary>
    /// As a dropless <see cref="Dispatch"/>, without the host reading who goes where: every expert takes every row, and a row's gates are
    /// 0 but for those it chose. E/K times the products; worth it where launches and waits cost more, as in small experts on CUDA.
    /// </summary>
    public static Tensor Everywhere(Tensor x_ND, Routing routing, Func<int, Tensor, Tensor> expert)
    {
        Tensor? sum_ND = null;
        for (int e = 0; e < routing.Probabilities_NE.size(1); e++)
        {
            var gate_N1 = (routing.Experts_NK.eq(e).to(routing.Gates_NK.dtype) * routing.Gates_NK).sum(1, keepdim: true);
            var part_ND = expert(e, x_ND) * gate_N1;
            sum_ND = sum_ND is null ? part_ND : sum_ND + part_ND;
        }

        return sum_ND!;
    }

    /// <summary>The one of both that training uses there.</summary>
    public static Tensor Mix(Tensor x_ND, Routing routing, Func<int, Tensor, Tensor> expert) =>
        x_ND.device.index >= 0 && is_grad_enabled() && !Hearth.Kernels.FusedKernels.NaiveOnly ? Everywhere(x_ND, routing, expert) : Dispatch(x_ND, routing, expert);

    private static Tensor Index(long[] values, Device device) => tensor(values).to(device);

    private static Tensor Wide(Tensor x) => x.dtype == float64 ? x : x.to(float32);
}

/// <summary>The order in which rows are laid out for the experts. Pure.</summary>
/// <param name="Rows">The row of each kept assignment, sorted by expert.</param>
/// <param name="Counts">Kept assignments of each expert.</param>
/// <param name="Places">Where each of the N·K assignments stands in <paramref name="Rows"/>; its length where it was dropped.</param>
public sealed record DispatchPlan(long[] Rows, int[] Counts, long[] Places)
{
    /// <param name="experts_NK">Chosen experts, row-major.</param>
    /// <param name="choices">K.</param>
    /// <param name="experts">E.</param>
    /// <param name="capacity">Null = every assignment is kept.</param>
    public static DispatchPlan Of(ReadOnlySpan<long> experts_NK, int choices, int experts, ExpertCapacity? capacity)
    {
        int[] counts = new int[experts];
        bool[] kept = Keep(experts_NK, choices, counts, capacity);
        int[] next = new int[experts];
        for (int e = 1; e < experts; e++)
        {
            next[e] = next[e - 1] + counts[e - 1];
        }

        long[] rows = new long[counts.Sum()];
        long[] places = new long[experts_NK.Length];
        for (int a = 0; a < experts_NK.Length; a++)
        {
            places[a] = kept[a] ? next[experts_NK[a]]++ : rows.Length;
            if (kept[a])
            {
                rows[places[a]] = a / choices;
            }
        }

        return new DispatchPlan(rows, counts, places);
    }

    // All first choices queue before all second ones, each in the rows' order.
    private static bool[] Keep(ReadOnlySpan<long> experts_NK, int choices, int[] counts, ExpertCapacity? capacity)
    {
        int rows = experts_NK.Length / choices;
        int limit = capacity is null ? int.MaxValue : (int)Math.Ceiling(capacity.Factor * rows * choices / counts.Length);
        int[] queue = [.. Enumerable.Range(0, rows)];
        if (capacity is not null)
        {
            long[] order = [.. capacity.Order];
            Array.Sort(order, queue);
        }

        bool[] kept = new bool[experts_NK.Length];
        for (int k = 0; k < choices; k++)
        {
            foreach (int row in queue)
            {
                int assignment = (row * choices) + k;
                long expert = experts_NK[assignment];
                kept[assignment] = counts[expert] < limit;
                counts[expert] += kept[assignment] ? 1 : 0;
            }
        }

        return kept;
    }
}
