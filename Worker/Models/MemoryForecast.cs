using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>Values that one token keeps inside a block for the backward pass.</summary>
/// <param name="Values">However long its row is.</param>
/// <param name="PerKey">For each token of its row: scores of attention, where they are kept.</param>
public readonly record struct BlockCost(double Values, double PerKey = 0)
{
    public static implicit operator BlockCost(double values) => new(values);

    internal double In(int seqLen) => Values + (PerKey * seqLen);
}

/// <summary>Values that one token keeps for the backward pass.</summary>
/// <param name="Blocks">Inside each block that a <see cref="BlockTape"/> runs.</param>
/// <param name="Between">What a block is given by the one before.</param>
/// <param name="Outside">Before, beside and behind the blocks.</param>
public sealed record ActivationCosts(IReadOnlyList<BlockCost> Blocks, double Between, double Outside)
{
    // Gradients on their way through the block at work, as a share of what it keeps (measured on every family's nano).
    private const double Passing = 0.35;

    /// <summary>All of them, in a row of so many tokens.</summary>
    public double Kept(int seqLen) => Blocks.Sum(b => b.In(seqLen)) + Outside;

    /// <summary>With recomputation: what crosses between blocks and one gradient of it, and the largest block at work.</summary>
    public double Recomputed(int seqLen) => (Blocks.Max(b => b.In(seqLen)) * (1 + Passing)) + ((Blocks.Count + 1) * Between) + Outside;
}

/// <summary>What a run takes of a card by what its blocks keep: measured by family (docs/gpu.md), by precision and recomputation.</summary>
/// <param name="Narrow">In a bf16 run.</param>
/// <param name="NarrowRecomputed">In a bf16 run that recomputes; the values are those of <see cref="ActivationCosts.Recomputed"/>.</param>
/// <param name="Wide">In an fp32 run.</param>
/// <param name="WideRecomputed">In an fp32 run that recomputes.</param>
public sealed record CardCosts(CardCost Narrow, CardCost NarrowRecomputed, CardCost Wide, CardCost WideRecomputed)
{
    private static readonly CardCost Fp32 = new(4, 0), Fp64 = new(8, 0);

    /// <summary>In a run of this precision. A CPU runs the plain forms of what has kernels on a card, and keeps each value whole.</summary>
    internal CardCost Of(string precision, bool recomputes, DeviceKind device) => (precision, device) switch
    {
        ("fp64", _) => Fp64,
        ("bf16", DeviceKind.Cpu) => (recomputes ? NarrowRecomputed : Narrow) with { WorkMegabytes = 0 },
        ("bf16", _) => recomputes ? NarrowRecomputed : Narrow,
        (_, DeviceKind.Cpu) => Fp32,
        _ => recomputes ? WideRecomputed : Wide,
    };
}

/// <summary>What one way of running takes of a card.</summary>
/// <param name="ValueBytes">
/// Of one kept value: fewer than its type has where values share memory or are kept in a narrower type, more where what is at work beside them counts, as
/// in the one block that a recomputing pass has at a time.
/// </param>
/// <param name="WorkMegabytes">Whatever the rows: workspaces of the products, slices at work, blocks that the allocator cannot join.</param>
public readonly record struct CardCost(double ValueBytes, double WorkMegabytes);

/// <summary>Bytes that training one micro-batch takes at its peak, by what holds them.</summary>
/// <param name="Gradients">
/// Those that exist beside everything that the blocks keep. Without accumulation a card's are made where the backward pass has let activations go, so
/// that only those count which no such place is large enough for.
/// </param>
/// <param name="Work">What an optimizer's step works in, and what a card's allocator holds beside tensors.</param>
/// <param name="Overhead">Of the process on the device.</param>
public sealed record MemoryForecast(long Weights, long Gradients, long Optimizer, long Activations, long Logits, long Work, long Overhead)
{
    private const int NarrowBytes = 2;

    // Measured, of each value of a block's matrices while the block runs again.
    private const long BlockBytes = 15;

    private const long RuntimeBytes = 300L << 20;

    public long Total => Reserved + Overhead;

    /// <summary>What a device's allocator is asked for.</summary>
    public long Tensors => Weights + Gradients + Optimizer + Activations + Logits;

    /// <summary>What it takes of a card for that.</summary>
    public long Reserved => Tensors + Work;

    /// <summary>Of <see cref="Total"/>, what a reported peak leaves out: a card's peak is what its allocator held, a CPU's that of the whole process.</summary>
    public static long BesidePeak(DeviceKind device) => device is DeviceKind.Cpu ? 0 : RuntimeBytes;

    /// <param name="plan">The model.</param>
    /// <param name="rows">Rows of one micro-batch.</param>
    /// <param name="seqLen">Tokens per row.</param>
    /// <param name="precision">fp32, bf16 or fp64; masters and moments are fp32 but in fp64 runs.</param>
    /// <param name="optimizer">Null = AdamW without an average.</param>
    /// <param name="masksDocuments">Whether attention reads a mask.</param>
    /// <param name="recompute"><c>none</c> or <c>block</c>.</param>
    /// <param name="device">Kind of device that it is to run on.</param>
    /// <param name="accumulates">Whether a step is of several micro-batches, so that gradients outlive each.</param>
    public static MemoryForecast Of(
        ModelPlan plan,
        long rows,
        int seqLen,
        string precision,
        OptimizerSpec? optimizer = null,
        bool masksDocuments = false,
        string recompute = "none",
        DeviceKind device = DeviceKind.Cuda,
        bool accumulates = false)
    {
        bool recomputes = recompute == "block", card = device is not DeviceKind.Cpu;
        var how = optimizer ?? new OptimizerSpec();
        var kept = plan.Activations;
        int master = precision == "fp64" ? 8 : 4, product = precision == "bf16" ? NarrowBytes : master;
        var cost = plan.CardCosts.Of(precision, recomputes, device);
        double tokens = (double)rows * seqLen;
        double masks = masksDocuments ? (double)plan.DocumentMasks * seqLen * product : 0;
        long Bytes(TensorSpec t) => t.Count * (t.Narrow ? NarrowBytes : master);

        return new MemoryForecast(
            plan.Tensors.Sum(Bytes),
            plan.Tensors.Where(t => !card || recomputes || accumulates || !FitsFreed(t, Bytes(t), tokens * product)).Sum(Bytes),
            StateBytes(plan, how, master),
            (long)(tokens * (((recomputes ? kept.Recomputed(seqLen) : kept.Kept(seqLen)) * cost.ValueBytes) + masks)) + Copies(plan, kept.Blocks.Count, precision, recomputes, card),
            (long)(plan.LogitValues(tokens) * master),
            OptimizerKinds.Of(how).StepBytes(plan.Tensors.Sum(t => t.Parameter.MatrixElements)) + (long)(cost.WorkMegabytes * (1 << 20)),
            RuntimeBytes);
    }

    /// <summary>Of a run whose micro-batches have so many rows.</summary>
    public static MemoryForecast Of(ModelPlan plan, RunSpec spec, long rows, DeviceKind device = DeviceKind.Cuda) => Of(
        plan,
        rows,
        spec.Data.SeqLen,
        spec.Train.Precision,
        spec.Optimizer,
        spec.Data.DocMask,
        spec.Train.Recompute,
        device,
        accumulates: rows * spec.Data.SeqLen < spec.Train.BatchTokens);

    // A matrix [out,in] is multiplied with rows of values that are let go as its gradient is made: [tokens,out] of them.
    private static bool FitsFreed(TensorSpec tensor, long bytes, double columnBytes) => tensor.Shape.Count < 2 || columnBytes * (tensor.Count / tensor.Shape[^1]) >= bytes;

    // The backward pass of a bf16 run reads the products' copies of the masters: all of them, or with recomputation those of the block at work. That block
    // has, on a card, its copies, its gradients and their sums at once.
    private static long Copies(ModelPlan plan, int blocks, string precision, bool recomputes, bool card)
    {
        long Count(Func<TensorSpec, bool> of) => plan.Tensors.Sum(t => t.Group != ParameterGroup.Vector && of(t) ? t.Count : 0);
        return recomputes && card ? BlockBytes * Count(t => t.Group != ParameterGroup.Embed) / blocks
            : precision == "bf16" ? NarrowBytes * Count(t => !t.Narrow)
            : 0;
    }

    /// <summary>
    /// Bytes that generating takes, at most: the weights, the logits of every row of the prompt, and caches and layers of one text, which
    /// together are no more than what training keeps of it for its backward pass.
    /// </summary>
    /// <param name="plan">The model.</param>
    /// <param name="promptTokens">Tokens of the prompt, at most the model's longest text.</param>
    /// <param name="newTokens">Tokens after it.</param>
    /// <param name="precision">That of the run; weights are fp64 in fp64 runs, else fp32.</param>
    public static MemoryForecast ForGenerating(ModelPlan plan, int promptTokens, int newTokens, string precision)
    {
        long value = precision == "fp64" ? 8 : 4;
        int prompt = Math.Min(promptTokens, plan.MaxSeqLen), all = Math.Min(prompt + newTokens, plan.MaxSeqLen);
        return new MemoryForecast(
            plan.Parameters * value,
            0,
            0,
            (long)(all * plan.Activations.Kept(all) * value),
            (long)prompt * plan.VocabSize * value,
            0,
            RuntimeBytes);
    }

    // What the optimizer keeps for each parameter, and one average.
    private static long StateBytes(ModelPlan plan, OptimizerSpec optimizer, long master)
    {
        var kind = OptimizerKinds.Of(optimizer);
        long average = optimizer.Averages ? plan.Parameters * master : 0;
        return average + plan.Tensors.Sum(t => kind.StateBytes(t.Parameter, optimizer, master));
    }
}
