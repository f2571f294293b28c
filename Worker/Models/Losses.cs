using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>Valid targets of each loss term over a whole batch, in the order of the model's terms.</summary>
/// <param name="Counts">What each term's sum is divided by; 1 for a term that is a mean over micro-batches.</param>
/// <param name="MicroBatches">Of the whole batch: such a term adds its value divided by this.</param>
public sealed record LossTotals(IReadOnlyList<long> Counts, int MicroBatches = 1)
{
    /// <summary>Sums of the rows' weights, by term, of terms that are weighted means; absent where the micro-batch is the batch.</summary>
    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>(StringComparer.Ordinal);
}

/// <summary>One micro-batch.</summary>
/// <param name="Ids_BT">Token ids, int64.</param>
/// <param name="Labels_BT">
/// Unshifted labels, int64, −100 = not counted: the label in column t is the target of column t − 1. With one column more than the ids
/// have, the last id has a target too.
/// </param>
/// <param name="Totals">Counts of the whole batch.</param>
public sealed record LossInput(Tensor Ids_BT, Tensor Labels_BT, LossTotals Totals)
{
    /// <summary>
    /// All that a loss may read of where a run stands; null outside training: nothing random, nothing that only regularises.
    /// <see cref="LanguageModel.Prepare"/> gives them.
    /// </summary>
    public StepChoices? Choices { get; internal init; }

    /// <summary>What the host made for this micro-batch, on the device, by the family's names.</summary>
    public IReadOnlyDictionary<string, Tensor> Made { get; internal init; } = new Dictionary<string, Tensor>(StringComparer.Ordinal);

    /// <summary>Further inputs of the rows by name (an image, a class label), for families that read any.</summary>
    public IReadOnlyDictionary<string, Tensor> Extras { get; init; } = new Dictionary<string, Tensor>(StringComparer.Ordinal);

    /// <summary>What runs the blocks; the backward pass of <see cref="LossResult.Total"/> is its <see cref="BlockTape.Backward"/>.</summary>
    public BlockTape Tape { get; init; } = BlockTape.Off;

    /// <summary>The same with copies of every tensor that it holds, each kept by <paramref name="keep"/>.</summary>
    public LossInput Copy(Func<Tensor, Tensor> keep)
    {
        return this with { Ids_BT = keep(Ids_BT.clone()), Labels_BT = keep(Labels_BT.clone()), Extras = Copies(Extras), Made = Copies(Made) };

        Dictionary<string, Tensor> Copies(IReadOnlyDictionary<string, Tensor> tensors) =>
            tensors.ToDictionary(t => t.Key, t => keep(t.Value.clone()), StringComparer.Ordinal);
    }

    /// <summary>Overwrites every tensor with that of an input of the same shapes and names.</summary>
    public void Fill(LossInput from)
    {
        Ids_BT.copy_(from.Ids_BT);
        Labels_BT.copy_(from.Labels_BT);
        foreach (var (name, value) in Extras)
        {
            value.copy_(from.Extras[name]);
        }

        foreach (var (name, value) in Made)
        {
            value.copy_(from.Made[name]);
        }
    }

    /// <summary>Every tensor that it holds.</summary>
    public IEnumerable<Tensor> Tensors => [Ids_BT, Labels_BT, .. Extras.Values, .. Made.Values];
}

/// <summary>One term of a micro-batch's loss.</summary>
/// <param name="Name">One of <see cref="LanguageModel.Terms"/>.</param>
/// <param name="Sum">Detached and unweighted, a scalar.</param>
/// <param name="Weight">In the total, as the loss used it: a scalar in fp64 on the same device, so that a recorded step gives its own.</param>
public sealed record LossTerm(string Name, Tensor Sum, Tensor Weight)
{
    /// <summary>A term whose weight the host knows.</summary>
    public LossTerm(string name, Tensor sum, double weight)
        : this(name, sum, full([], weight, float64, sum.device))
    {
    }
}

/// <summary>
/// Losses of one micro-batch. <see cref="Total"/> is scaled by the whole batch's counts: summing its backward over all
/// micro-batches gives the gradient of the batch's weighted loss.
/// </summary>
/// <param name="Total">A scalar with gradient.</param>
/// <param name="Terms">What it is made of, in the model's order.</param>
public sealed record LossResult(Tensor Total, IReadOnlyList<LossTerm> Terms)
{
    /// <summary>The same values without gradient, every tensor kept by <paramref name="keep"/>.</summary>
    public LossResult Detached(Func<Tensor, Tensor> keep) =>
        new(keep(Total.detach()), [.. Terms.Select(t => t with { Sum = keep(t.Sum.detach()), Weight = keep(t.Weight.detach()) })]);

    /// <summary>Every tensor that it holds, each once.</summary>
    public IEnumerable<Tensor> Tensors => Terms.SelectMany(t => (Tensor[])[t.Sum, t.Weight]).Append(Total).Distinct(ReferenceEqualityComparer.Instance).Cast<Tensor>();

    internal LossResult MoveToOuterDisposeScope()
    {
        foreach (var tensor in Tensors)
        {
            tensor.MoveToOuterDisposeScope();
        }

        return this;
    }
}
