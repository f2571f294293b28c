using Hearth.Torch;
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

/// <summary>Where in a run a training micro-batch stands. Whatever a loss draws or schedules is a pure function of this.</summary>
/// <param name="Seed">The run's.</param>
/// <param name="Step">Optimizer steps before this one.</param>
/// <param name="TotalSteps">Of the run.</param>
/// <param name="LrFactor">The schedule's factor at this step, 0..1.</param>
/// <param name="FirstRow">Index of the micro-batch's first row in the whole batch.</param>
public sealed record TrainingStep(long Seed, long Step, long TotalSteps, double LrFactor, long FirstRow)
{
    /// <summary>Families with a quantiser compute with quantised weights; once on in a run it stays on.</summary>
    public bool Quantize { get; init; }
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
    /// <summary>Null outside training: nothing random, nothing that only regularises.</summary>
    public TrainingStep? Step { get; init; }

    /// <summary>Further inputs of the rows by name (an image, a class label), for families that read any.</summary>
    public IReadOnlyDictionary<string, Tensor> Extras { get; init; } = new Dictionary<string, Tensor>(StringComparer.Ordinal);

    /// <summary>What runs the blocks; the backward pass of <see cref="LossResult.Total"/> is its <see cref="BlockTape.Backward"/>.</summary>
    public BlockTape Tape { get; init; } = BlockTape.Off;
}

/// <summary>
/// Losses of one micro-batch. <see cref="Total"/> is scaled by the whole batch's counts: summing its backward over all
/// micro-batches gives the gradient of the batch's weighted loss. <see cref="Sums"/> are detached, unweighted sums per term.
/// </summary>
public sealed record LossResult(Tensor Total, IReadOnlyList<Tensor> Sums)
{
    internal LossResult MoveToOuterDisposeScope()
    {
        foreach (var tensor in Sums.Append(Total).Distinct())
        {
            tensor.MoveToOuterDisposeScope();
        }

        return this;
    }
}

/// <summary>Something about a run that its owner should hear of once.</summary>
/// <param name="Key">By which it is known to have been said; a word.</param>
/// <param name="Text">A sentence.</param>
public sealed record Concern(string Key, string Text);

/// <summary>What a trainer and a generator need of a model of any family.</summary>
public abstract class LanguageModel : nn.Module
{
    private readonly Dictionary<string, Tensor> _weights = new(StringComparer.Ordinal);

    protected LanguageModel(ModelPlan plan, ScalarType dtype, Device device, long seed, ScalarType? compute = null)
        : base(plan.Family)
    {
        Plan = plan;
        Device = device;
        Dtype = dtype;
        Compute = compute ?? dtype;
        manual_seed(seed);
        foreach (var spec in plan.Tensors)
        {
            _weights.Add(spec.Name, register_parameter(spec.Name, WeightInit.Make(spec, spec.Narrow ? Compute : dtype, device)));
        }
    }

    public ModelPlan Plan { get; }
    public Device Device { get; }

    /// <summary>Type of the parameters, save those that a run keeps without masters (<see cref="TensorSpec.Narrow"/>).</summary>
    public ScalarType Dtype { get; }

    /// <summary>Type of the matrix products.</summary>
    public ScalarType Compute { get; }

    /// <summary>Names of the loss terms and their weights in the total; the first is the mean next-token loss that people compare.</summary>
    public abstract IReadOnlyList<(string Name, double Weight)> Terms { get; }

    /// <summary><see cref="Terms"/> with the weights of one step, where weights are scheduled.</summary>
    public virtual IReadOnlyList<(string Name, double Weight)> TermsAt(TrainingStep? step) => Terms;

    /// <summary>Names of <see cref="Terms"/> whose means an evaluation reports beside the loss.</summary>
    public virtual IReadOnlyList<string> EvaluationTerms => [];

    /// <summary>What an evaluation shows to go wrong in a run, each at most once.</summary>
    /// <param name="means">Of <see cref="EvaluationTerms"/>.</param>
    /// <param name="at">The last finished step.</param>
    public virtual IEnumerable<Concern> Concerns(IReadOnlyDictionary<string, double> means, TrainingStep at) => [];

    /// <summary>What whoever trains this model should know before the first step; null = nothing.</summary>
    public virtual string? TrainingNotice => null;

    /// <summary>What whoever reads this model's logits or text should know; null = nothing.</summary>
    public virtual string? DecodingNotice => null;

    /// <summary>Counts valid targets of every term.</summary>
    /// <param name="labels">Rows of unshifted labels, −100 = not counted.</param>
    /// <param name="rowLength">T.</param>
    public abstract LossTotals Count(ReadOnlySpan<int> labels, int rowLength);

    /// <summary>Counts valid targets of every term in a whole batch.</summary>
    public virtual LossTotals Count(TrainingRows rows) => Count(rows.Labels, rows.Length);

    public abstract LossResult Loss(LossInput input);

    public LossResult Loss(Tensor ids_BT, Tensor labels_BT, LossTotals totals) => Loss(new LossInput(ids_BT, labels_BT, totals));

    /// <summary>
    /// As <see cref="Loss(LossInput)"/>, and lets go of everything else that the forward pass made: what the backward pass needs, autograd
    /// holds, and frees as it goes. Blocks that run again read some of the rest, so with recomputation all of it stays.
    /// </summary>
    public LossResult LossAlone(LossInput input)
    {
        if (input.Tape.Recomputes)
        {
            return Loss(input);
        }

        using var scope = NewDisposeScope();
        return Loss(input).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Whether forward and backward of this micro-batch queue the same work whatever its ids and labels are, without the host reading
    /// anything of the device, so that a recording of it serves any other with the same shape and counts.
    /// </summary>
    public virtual bool CanRecord(LossInput input) => false;

    /// <summary>The input with what the host computes from the ids for the model, so that recorded work finds it on the device.</summary>
    public virtual LossInput Prepare(LossInput input) => input;

    /// <summary>Logits of the main head, [B,T,V].</summary>
    public abstract Tensor Logits(Tensor ids_BT);

    /// <summary>What a text of ids [B,T] gives, by name: <c>logits</c>, or what a family has in its place, one after the other.</summary>
    public virtual IEnumerable<(string Name, Tensor Value)> Outputs(Tensor ids_BT) => [("logits", Logits(ids_BT))];

    /// <summary>As <see cref="Logits"/> in a training step's forward, where that differs (limits on experts).</summary>
    /// <param name="ids_BT">Token ids, int64.</param>
    /// <param name="extras">As <see cref="LossInput.Extras"/>.</param>
    public virtual Tensor TrainingLogits(Tensor ids_BT, IReadOnlyDictionary<string, Tensor> extras) => Logits(ids_BT);

    /// <summary><see cref="LossInput.Extras"/> that a parity case holds.</summary>
    public virtual IReadOnlyDictionary<string, Tensor> CaseExtras(CaseInputs inputs) => new Dictionary<string, Tensor>(StringComparer.Ordinal);

    /// <summary>
    /// What a parity case's inputs give beyond losses, gradients and optimizer steps, under the case's names. Called without
    /// a gradient.
    /// </summary>
    public virtual IEnumerable<CaseResult> Case(CaseInputs inputs) => [new CaseResult("logits", "expect.logits", Logits(inputs.Ids("input.ids")))];

    /// <summary>A cache for decoding a batch row by row; equal to <see cref="Logits"/> on the whole text.</summary>
    public abstract IDecodeSession StartDecode();

    /// <summary>A parameter by its full name.</summary>
    public Tensor Weight(string name) => _weights[name];
}

/// <summary>Incremental decoding: each call takes the next tokens and gives their logits.</summary>
public interface IDecodeSession : IDisposable
{
    /// <summary>Appends ids [B,T] to the text; logits [B,T,V] of the appended rows.</summary>
    Tensor Step(Tensor ids_BT);
}

/// <summary>Draws starting values on the CPU, so that a seed gives the same model on every device.</summary>
internal static class WeightInit
{
    internal static Tensor Make(TensorSpec spec, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        long[] shape = [.. spec.Shape];
        var draw = empty(shape);
        switch (spec.Init.Kind)
        {
            case InitKind.Zeros:
                draw.zero_();
                break;
            case InitKind.Ones:
                draw.fill_(1);
                break;
            case InitKind.Normal:
                draw.normal_(0, spec.Init.Scale);
                break;
            case InitKind.Constant:
                draw.fill_(spec.Init.Scale);
                break;
            case InitKind.FirstRow:
                draw.zero_().narrow(0, 0, 1).fill_(1);
                break;
            case InitKind.Given:
                draw = tensor(spec.Init.Values!.ToArray(), shape);
                break;
            case InitKind.Orthogonal:
                draw = Orthogonal(shape[0], shape[1]) * spec.Init.Scale;
                break;
            case InitKind.FirstTap:
                draw.normal_(0, spec.Init.Scale).narrow(1, 0, 1).fill_(1);
                break;
            default:
                double bound = spec.Init.Scale * Math.Sqrt(6.0 / (shape[0] + shape[1]));
                draw.uniform_(-bound, bound);
                break;
        }

        return nn.Parameter(draw.to(dtype).to(device));
    }

    // QR of a tall Gaussian matrix; signs by R's diagonal make Q uniform (Mezzadri, arXiv math-ph/0609050).
    private static Tensor Orthogonal(long rows, long columns)
    {
        var tall = empty([Math.Max(rows, columns), Math.Min(rows, columns)], float64).normal_();
        var (q, r) = linalg.qr(tall);
        var signed = (q * r.diagonal().sign()).to(float32);
        return (rows < columns ? signed.transpose(0, 1) : signed).contiguous();
    }
}

/// <summary>Pieces that every family's forward uses.</summary>
public static class Functions
{
    /// <summary>x (mean(x²)+ε)^−½ w over the last dimension, reduced in at least fp32; the fast kernel where there is one.</summary>
    public static Tensor RmsNorm(Tensor x_BTD, Tensor weight_D, double eps) => RmsNorm(x_BTD, weight_D, eps, weight_D.dtype);

    /// <summary>As <see cref="RmsNorm(Tensor, Tensor, double)"/>, given in the type that the matrix products after it take.</summary>
    public static Tensor RmsNorm(Tensor x_BTD, Tensor weight_D, double eps, ScalarType output) =>
        (HearthSeam.RmsNorm(x_BTD, weight_D, eps, output) ?? NaiveRmsNorm(x_BTD, weight_D, eps)).to(output);

    public static Tensor NaiveRmsNorm(Tensor x_BTD, Tensor weight_D, double eps)
    {
        var wide = x_BTD.dtype == float64 ? x_BTD : x_BTD.to(float32);
        return wide * (wide.pow(2).mean([-1], true) + eps).rsqrt() * weight_D;
    }

    /// <summary>x [..., in] times weight [out, in] transposed, in the compute type when that is narrower than the master's.</summary>
    public static Tensor Linear(Tensor x, Tensor weight, ScalarType compute) =>
        compute == weight.dtype && compute == x.dtype ? nn.functional.linear(x, weight) : nn.functional.linear(x.to(compute), weight.to(compute));

    /// <summary>C·tanh(z/C) on at least fp32: logits within ±C (Gemma 2, arXiv 2408.00118). A C of 0 is off.</summary>
    public static Tensor Softcap(Tensor logits, double limit)
    {
        var wide = logits.dtype == float64 ? logits : logits.to(float32);
        return limit > 0 ? (wide / limit).tanh() * limit : logits;
    }

    /// <summary>x (mean(x²)+ε)^−½ over the last dimension, without a weight.</summary>
    public static Tensor RmsNorm(Tensor x_BTD, double eps)
    {
        var wide = x_BTD.dtype == float64 ? x_BTD : x_BTD.to(float32);
        return wide * (wide.pow(2).mean([-1], true) + eps).rsqrt();
    }

    /// <summary>Sum of cross entropies over rows whose label is not −100: logsumexp(z) − z_y on at least fp32.</summary>
    public static Tensor CrossEntropySum(Tensor logits_NV, Tensor labels_N)
    {
        var wide = logits_NV.dtype == float64 ? logits_NV : logits_NV.to(float32);
        var picked_N = wide.gather(1, labels_N.clamp(min: 0).unsqueeze(1)).view(-1);
        return (wide.logsumexp(-1) - picked_N).masked_fill(labels_N.lt(0), 0).sum();
    }
}
