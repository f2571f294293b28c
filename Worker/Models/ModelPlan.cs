using System.Text.Json.Nodes;
using Hearth.Runs;
using TorchSharp;

namespace Hearth.Models;

/// <summary>
/// A checked model: its config, parameters and costs, all without allocating any of it. Pure, so that the coordinator
/// answers with it; only <see cref="Build"/> needs libtorch.
/// </summary>
public abstract class ModelPlan
{
    private IReadOnlyList<TensorSpec>? _tensors;

    /// <summary>Names and config of the plan.</summary>
    public required PlanHead Head { get; init; }

    public string Family => Head.Family;

    public string Title => Head.Title;

    public string Size => Head.Size;

    public JsonObject Config => Head.Config;

    public abstract int VocabSize { get; }

    public abstract int MaxSeqLen { get; }

    public IReadOnlyList<TensorSpec> Tensors => _tensors ??= Weights.Noted(Declare);

    /// <summary>Whether training can run on quantised weights (<see cref="TrainingStep.Quantize"/>).</summary>
    public virtual bool Quantizes => false;

    /// <summary>What decoding with the model offers beyond one token a pass.</summary>
    public virtual DecodingFeatures Decoding => new();

    /// <summary>Masks of T×T per row that a pass holds when it keeps documents apart; 0 = the family cannot.</summary>
    public virtual int DocumentMasks => 0;

    /// <summary>Why the family's weights need fp32 masters, as the end of a sentence; null where bf16 alone will do.</summary>
    public virtual string? MastersNeeded => $"{Title} computes with its weights in fp32";

    public long Parameters => Tensors.Sum(t => t.Count);

    /// <summary>Multiply-adds of one token's forward pass at this row length.</summary>
    public abstract double MultiplyAdds(int seqLen);

    /// <summary>Floating-point operations of one token's training step: two per multiply-add, backward twice the forward.</summary>
    public double FlopsPerToken(int seqLen) => 6 * MultiplyAdds(seqLen);

    /// <summary>Values that one token keeps for the backward pass, by where.</summary>
    public abstract ActivationCosts Activations(int seqLen);

    /// <summary>
    /// Bytes that one of <see cref="Activations"/> takes on average in a bf16 run: some are kept in bf16, some in fp32, some shared. Measured on a
    /// card (docs/gpu.md).
    /// </summary>
    public abstract double NarrowActivationBytes { get; }

    /// <summary>What a bf16 run takes of a card whatever its size: workspaces of the products, slices at work, blocks that the allocator cannot join (measured as above).</summary>
    public virtual long WorkBytes => 250L << 20;

    /// <summary>All of them.</summary>
    public double ActivationsPerToken(int seqLen) => Activations(seqLen).Kept;

    /// <summary>Logit values of one token over all heads.</summary>
    public abstract double LogitsPerToken { get; }

    /// <summary>
    /// Values that head and loss hold at their peak for so many tokens: three copies of one slice's logits and the head's
    /// gradient (<see cref="HeadLoss"/>). A family with another loss states its own.
    /// </summary>
    public virtual double LogitValues(double tokens) =>
        (3 * Math.Min(tokens, HeadLoss.SliceRows) * VocabSize) + Tensors.Where(t => t.Group == ParameterGroup.Embed).Max(t => t.Count);

    /// <summary>The model on a device.</summary>
    /// <param name="dtype">Type of the weights, save those without masters.</param>
    /// <param name="device">Where it is to be.</param>
    /// <param name="seed">Its first weights are drawn by it; null = they are whatever lies in memory, for all of them are loaded next.</param>
    /// <param name="compute">Type of the products; null = <paramref name="dtype"/>.</param>
    public abstract LanguageModel Build(torch.ScalarType dtype, torch.Device device, long? seed, torch.ScalarType? compute = null);

    /// <summary>The plan itself, with the weights that a run keeps without masters marked: matrices and heads with coded moments.</summary>
    public ModelPlan Under(TrainSpec train, OptimizerSpec optimizer)
    {
        if (train.Master == "none")
        {
            var kind = OptimizerKinds.Of(optimizer);
            _tensors = [.. Tensors.Select(t => t with { Narrow = t.Group != ParameterGroup.Vector && kind.Codes(t.Parameter, optimizer) })];
        }

        return this;
    }

    /// <summary>Declares every parameter, by making the model's modules.</summary>
    protected abstract void Declare(Weights weights);
}

/// <param name="Loops">Most loops that a looped model runs for a token (<see cref="IEarlyExit"/>); 1 = it has no loop.</param>
/// <param name="Drafts">Most tokens that its heads draft (<see cref="ISpeculativeSession"/>); 0 = none.</param>
/// <param name="Memory">It keeps a memory between texts (<see cref="IRingMemory"/>).</param>
/// <param name="TopPReaches">Top-p keeps the fewest tokens that reach the mass; false: the most that stay within it, as published VUAF code has it.</param>
/// <param name="MostTemperature">Above it the family's page refuses.</param>
public sealed record DecodingFeatures(int Loops = 1, int Drafts = 0, bool Memory = false, bool TopPReaches = true, double MostTemperature = 10);

/// <summary>Values that one token keeps for the backward pass.</summary>
/// <param name="Blocks">Inside each block that a <see cref="BlockTape"/> runs.</param>
/// <param name="Between">What a block is given by the one before.</param>
/// <param name="Outside">Before, beside and behind the blocks.</param>
public sealed record ActivationCosts(IReadOnlyList<double> Blocks, double Between, double Outside)
{
    // Gradients on their way through the block at work, as a share of what it keeps (measured on every family's nano).
    private const double Passing = 0.35;

    public double Kept => Blocks.Sum() + Outside;

    /// <summary>With recomputation: what crosses between blocks and one gradient of it, and the largest block at work.</summary>
    public double Recomputed => (Blocks.Max() * (1 + Passing)) + ((Blocks.Count + 1) * Between) + Outside;
}

/// <summary>Bytes that training one micro-batch takes, by what holds them.</summary>
public sealed record MemoryForecast(long Weights, long Gradients, long Optimizer, long Activations, long Logits, long Overhead)
{
    private const long NarrowBytes = 2;
    private const long RuntimeBytes = 300L << 20;

    public long Total => Tensors + Overhead;

    /// <summary>What a device's allocator is asked for.</summary>
    public long Tensors => Weights + Gradients + Optimizer + Activations + Logits;

    /// <param name="plan">The model.</param>
    /// <param name="rows">Rows of one micro-batch.</param>
    /// <param name="seqLen">Tokens per row.</param>
    /// <param name="precision">fp32, bf16 or fp64; masters and moments are fp32 but in fp64 runs.</param>
    /// <param name="optimizer">Null = AdamW without an average.</param>
    /// <param name="masksDocuments">Whether attention reads a mask.</param>
    /// <param name="recompute"><c>none</c> or <c>block</c>.</param>
    public static MemoryForecast Of(
        ModelPlan plan, long rows, int seqLen, string precision, OptimizerSpec? optimizer = null, bool masksDocuments = false, string recompute = "none")
    {
        bool narrow = precision == "bf16";

        var kept = plan.Activations(seqLen);
        long master = precision == "fp64" ? 8 : 4;
        double value = narrow ? plan.NarrowActivationBytes : master;
        double tokens = (double)rows * seqLen;
        long weights = plan.Tensors.Sum(t => t.Count * (t.Narrow ? NarrowBytes : master));

        // The backward pass reads the products' own copies of the masters.
        long copies = narrow ? plan.Tensors.Sum(t => t.Narrow || t.Group == ParameterGroup.Vector ? 0 : t.Count * NarrowBytes) : 0;
        return new MemoryForecast(
            weights,
            weights,
            StateBytes(plan, optimizer ?? new OptimizerSpec(), master),
            (long)(tokens * ((recompute == "block" ? kept.Recomputed : kept.Kept) + (masksDocuments ? (double)plan.DocumentMasks * seqLen : 0)) * value) + copies,
            (long)(plan.LogitValues(tokens) * master) + (narrow ? plan.WorkBytes : 0),
            RuntimeBytes);
    }

    /// <summary>Of a run whose micro-batches have so many rows.</summary>
    public static MemoryForecast Of(ModelPlan plan, RunSpec spec, long rows) =>
        Of(plan, rows, spec.Data.SeqLen, spec.Train.Precision, spec.Optimizer, spec.Data.DocMask, spec.Train.Recompute);

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
            (long)(all * plan.ActivationsPerToken(all) * value),
            (long)prompt * plan.VocabSize * value,
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
