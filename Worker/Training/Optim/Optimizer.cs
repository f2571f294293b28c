using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Training.Optim;

/// <summary>
/// Updates a model's parameters: each belongs, whole or by rows, to one of the optimizer's rules. Its state and the step
/// count are all that a resumed run needs to go on bit for bit.
/// </summary>
public abstract class Optimizer : IDisposable
{
    private static readonly IReadOnlyDictionary<string, Func<LanguageModel, OptimizerSpec, long, Optimizer>> Builders =
        new Dictionary<string, Func<LanguageModel, OptimizerSpec, long, Optimizer>>(StringComparer.Ordinal)
        {
            [OptimizerKinds.AdamW] = (model, spec, seed) => new AdamW(model, spec) { Seed = seed },
            [OptimizerKinds.AdamW8Bit] = (model, spec, seed) => new AdamW8Bit(model, spec) { Seed = seed },
            [OptimizerKinds.Muon] = (model, spec, seed) => new MuonAdam(model, spec) { Seed = seed },
        };

    private readonly Tensor[] _weights;
    private readonly UpdateRule[] _rules;
    private double _scale = 1;

    private protected Optimizer(LanguageModel model, params UpdateRule[] rules)
    {
        _weights = [.. model.Parameters];
        _rules = rules;
    }

    /// <summary>Steps taken so far; bias correction and momentum depend on it, so it is part of a checkpoint.</summary>
    public long Steps { get; set; }

    /// <summary>The run's; random rounding draws by it.</summary>
    public long Seed { get; init; }

    /// <summary>Moments and momenta by name, in a fixed order: what a checkpoint holds.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> State => [.. _rules.SelectMany(r => r.State)];

    /// <summary>The optimizer that a spec names.</summary>
    /// <exception cref="BadInputException">There is none of that name.</exception>
    public static Optimizer Create(LanguageModel model, OptimizerSpec spec, long seed = 0) => Builders.TryGetValue(spec.Name, out var build)
        ? build(model, spec, seed)
        : throw new BadInputException($"optimizer.name is {spec.Name}. Allowed: {string.Join(", ", OptimizerKinds.Names)}.");

    public void ClearGradients()
    {
        foreach (var weight in _weights)
        {
            weight.grad = null;
        }
    }

    /// <summary>
    /// Global L2 norm of all gradients; the next <see cref="Step"/> scales them by min(1, limit/(norm+1e−6)). A limit of 0 is off.
    /// Not finite when any gradient is not.
    /// </summary>
    public double ClipGradNorm(double limit)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Tensor[] squares = [.. _weights.Select(w => w.grad).OfType<Tensor>().GroupBy(g => g.dtype).SelectMany(Squares)];

        // One wait for the device, not one per tensor.
        double norm = squares.Length == 0 ? 0 : Math.Sqrt(stack(squares).sum().Number());
        _scale = limit > 0 ? Math.Min(1, limit / (norm + 1e-6)) : 1;
        return norm;
    }

    private static IEnumerable<Tensor> Squares(IEnumerable<Tensor> grads)
    {
        Tensor[] all = [.. grads];
        return FusedKernels.Norms(all) is { } norms ? [stack(norms).to(float64).pow(2).sum()] : all.Select(g => (g.dtype == bfloat16 ? g.to(float32) : g).pow(2).sum().to(float64));
    }

    /// <summary>One update at every group's peak rate times <paramref name="factor"/>. A parameter without gradient stays as it is.</summary>
    public void Step(double factor)
    {
        using var quiet = no_grad();
        Steps++;
        foreach (var rule in _rules)
        {
            using var scope = NewDisposeScope();
            rule.Step(new UpdateStep(factor, Steps, _scale, Seed));
        }

        _scale = 1;
    }

    public void Dispose()
    {
        foreach (var rule in _rules)
        {
            rule.Dispose();
        }

        GC.SuppressFinalize(this);
    }
}

/// <param name="Factor">On the peak learning rates.</param>
/// <param name="Step">Counts from 1.</param>
/// <param name="Scale">On every gradient (clipping).</param>
/// <param name="Seed">Of the run.</param>
internal readonly record struct UpdateStep(double Factor, long Step, double Scale, long Seed);

/// <summary>An update rule over the parameters given to it.</summary>
internal abstract class UpdateRule : IDisposable
{
    public abstract IReadOnlyList<(string Name, Tensor Value)> State { get; }

    /// <summary>Runs without a graph, inside a scope.</summary>
    public abstract void Step(UpdateStep step);

    public abstract void Dispose();
}

/// <summary>A parameter, or some rows of one, with its peak rate and decay.</summary>
internal sealed class Slice : IDisposable
{
    private readonly Tensor _whole;
    private readonly (long First, long Count)? _rows;

    private Slice(TensorSpec spec, Tensor whole, OptimizerSpec optimizer, (long First, long Count)? rows)
    {
        Spec = spec;
        _whole = whole;
        _rows = rows;
        Decay = spec.Decays ? optimizer.WeightDecay : 0;
        double own = spec.Group switch
        {
            ParameterGroup.Matrix => optimizer.MatrixLr,
            ParameterGroup.Embed => optimizer.EmbedLr,
            _ => optimizer.VectorLr,
        };
        Rate = (own > 0 ? own : optimizer.Lr) * spec.LrScale;
        Weight = rows is null ? whole : Rows(whole.detach()).DetachFromDisposeScope();
    }

    public TensorSpec Spec { get; }

    /// <summary>The parameter, or a view [rows, columns] of it.</summary>
    public Tensor Weight { get; }
    public double Rate { get; }
    public double Decay { get; }

    public Tensor? Grad => _whole.grad is { } grad ? Rows(grad) : null;

    public static Slice Whole(LanguageModel model, TensorSpec spec, OptimizerSpec optimizer) => new(spec, model.Weight(spec.Name), optimizer, null);

    /// <summary>Rows of a tensor read as [−1, last axis].</summary>
    public static Slice Of(LanguageModel model, TensorSpec spec, OptimizerSpec optimizer, long first, long count) =>
        new(spec, model.Weight(spec.Name), optimizer, (first, count));

    /// <summary>A tensor of zeros like the weights, outside any scope.</summary>
    public Tensor Zeros() => zeros(Weight.shape, Weight.dtype, Weight.device).DetachFromDisposeScope();

    public void Dispose()
    {
        if (_rows is not null)
        {
            Weight.Dispose();
        }
    }

    private Tensor Rows(Tensor tensor) => _rows is { } rows ? tensor.view(-1, tensor.size(-1)).narrow(0, rows.First, rows.Count) : tensor;
}
