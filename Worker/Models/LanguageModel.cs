using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models;

/// <summary>Something about a run that its owner should hear of once.</summary>
/// <param name="Key">By which it is known to have been said; a word.</param>
/// <param name="Text">A sentence.</param>
public sealed record Concern(string Key, string Text);

/// <summary>What a trainer and a generator need of a model of any family.</summary>
public abstract class LanguageModel
{
    private readonly Dictionary<string, Tensor> _weights = new(StringComparer.Ordinal);

    protected LanguageModel(ModelPlan plan, ScalarType dtype, Device device, long? seed, ScalarType? compute = null)
    {
        Plan = plan;
        Device = device;
        Dtype = dtype;
        Compute = compute ?? dtype;
        if (seed is { } given)
        {
            Generators.Seed(given);
        }

        foreach (var spec in plan.Tensors)
        {
            var type = spec.Narrow ? Compute : dtype;
            _weights.Add(spec.Name, seed is null ? WeightInit.Room(spec, type, device) : WeightInit.Make(spec, type, device));
        }

        NamedParameters = [.. plan.Tensors.Select(spec => (spec.Name, _weights[spec.Name]))];
        Parameters = [.. NamedParameters.Select(p => p.Value)];
    }

    public ModelPlan Plan { get; }
    public Device Device { get; }

    /// <summary>All trainable tensors under the names of the plan's tensor table, in its order.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> NamedParameters { get; }

    /// <summary>The tensors of <see cref="NamedParameters"/>.</summary>
    public IReadOnlyList<Tensor> Parameters { get; }

    /// <summary>Type of the parameters, save those that a run keeps without masters (<see cref="TensorSpec.Narrow"/>).</summary>
    public ScalarType Dtype { get; }

    /// <summary>Type of the matrix products.</summary>
    public ScalarType Compute { get; }

    /// <summary>Names of the loss terms; the first is the mean next-token loss that people compare.</summary>
    public abstract IReadOnlyList<string> Terms { get; }

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

    /// <summary>The terms in the order of <see cref="Terms"/>, with their weights, and the total to differentiate.</summary>
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
    /// What the host decides of a step's work, made in this one place: <see cref="Loss(LossInput)"/> sees these choices and never the
    /// step, so that steps of equal choices queue equal work.
    /// </summary>
    public virtual StepChoices Choose(TrainingStep step) => StepChoices.None;

    /// <summary>The micro-batch as training takes it at a step: with the step's choices, and what the host makes for it on the device.</summary>
    public LossInput Prepare(LossInput input, TrainingStep step) =>
        input with { Choices = Choose(step), Made = Make(input, step).ToDictionary(made => made.Name, made => made.Value, StringComparer.Ordinal) };

    /// <summary>
    /// What changes without changing the work, as tensors on the device: numbers that follow a schedule, positions that are drawn, hashes
    /// of the ids.
    /// </summary>
    protected virtual IEnumerable<(string Name, Tensor Value)> Make(LossInput input, TrainingStep step) => [];

    /// <summary>Logits of the main head, [B,T,V].</summary>
    public abstract Tensor Logits(Tensor ids_BT);

    /// <summary>What a text of ids [B,T] gives, by name: <c>logits</c>, or what a family has in its place, one after the other.</summary>
    public virtual IEnumerable<(string Name, Tensor Value)> Outputs(Tensor ids_BT) => [("logits", Logits(ids_BT))];

    /// <summary>As <see cref="Logits"/> in a training step's forward, where that differs (limits on experts).</summary>
    /// <param name="ids_BT">Token ids, int64.</param>
    /// <param name="extras">As <see cref="LossInput.Extras"/>.</param>
    public virtual Tensor TrainingLogits(Tensor ids_BT, IReadOnlyDictionary<string, Tensor> extras) => Logits(ids_BT);

    /// <summary>A cache for decoding a batch row by row; equal to <see cref="Logits"/> on the whole text.</summary>
    public abstract IDecodeSession StartDecode();

    /// <summary>Refuses a text of more tokens than the model reads.</summary>
    internal void Fits(long tokens)
    {
        if (tokens > Plan.MaxSeqLen)
        {
            throw new ArgumentException($"The text would have {tokens} tokens; {Plan.Title}'s longest is {Plan.MaxSeqLen}.", nameof(tokens));
        }
    }

    /// <summary>A parameter by its full name.</summary>
    public Tensor Weight(string name) => _weights[name];

    /// <summary>Lets go of every gradient gathered so far.</summary>
    public void ClearGradients()
    {
        foreach (var parameter in Parameters)
        {
            parameter.grad = null;
        }
    }

    /// <summary>The parameters for the modules that declare them.</summary>
    protected Weights Declared => Weights.Of(Weight);
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
    /// <summary>A parameter whose values are still to come: for a thousand million weights, drawing takes longer than reading them.</summary>
    internal static Tensor Room(TensorSpec spec, ScalarType dtype, Device device) =>
        empty([.. spec.Shape], dtype, device).requires_grad_().DetachFromDisposeScope();

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

        return draw.to(dtype).to(device).detach().requires_grad_().DetachFromDisposeScope();
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
        (FusedKernels.RmsNorm(x_BTD, weight_D, eps, output) ?? NaiveRmsNorm(x_BTD, weight_D, eps)).to(output);

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
