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

    /// <summary>
    /// Whether the host may read numbers of the device while it queues forward and backward of a training step, so that equal shapes,
    /// counts and choices need not mean equal work. A family states where it does not.
    /// </summary>
    public virtual bool DataDependent => true;

    /// <summary>Why the family's weights need fp32 masters, as the end of a sentence; null where bf16 alone will do.</summary>
    public virtual string? MastersNeeded => $"{Title} computes with its weights in fp32";

    public long Parameters => Tensors.Sum(t => t.Count);

    /// <summary>Multiply-adds of one token's forward pass at this row length.</summary>
    public abstract double MultiplyAdds(int seqLen);

    /// <summary>Floating-point operations of one token's training step: two per multiply-add, backward twice the forward.</summary>
    public double FlopsPerToken(int seqLen) => 6 * MultiplyAdds(seqLen);

    /// <summary>Values that one token keeps for the backward pass, by where.</summary>
    public abstract ActivationCosts Activations { get; }

    /// <summary>What <see cref="Activations"/> take of a card, and work beside them. Measured (docs/gpu.md).</summary>
    public abstract CardCosts CardCosts { get; }

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
