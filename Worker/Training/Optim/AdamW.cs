using Hearth.Models;
using Hearth.Runs;
using Hearth.Torch;
using static TorchSharp.torch;

namespace Hearth.Training.Optim;

/// <summary>
/// AdamW (Loshchilov &amp; Hutter, arXiv 1711.05101) over a model's parameters: decay on the group matrix, and on embed
/// where the family says so. Moments in the parameters' own precision.
/// </summary>
public sealed class AdamW : IDisposable
{
    private readonly OptimizerSpec _spec;
    private readonly Slot[] _slots;
    private double _scale = 1;

    /// <param name="model">Whose parameters to update.</param>
    /// <param name="spec">Betas, epsilon and decay.</param>
    /// <param name="naive">Plain operators per tensor: the truth that the fused step is tested against.</param>
    public AdamW(LanguageModel model, OptimizerSpec spec, bool naive = false)
    {
        _spec = spec;
        Naive = naive;
        _slots = [.. model.Plan.Tensors.Select(t =>
        {
            var weight = model.Weight(t.Name);
            bool decays = t.Group == ParameterGroup.Matrix || (t.Group == ParameterGroup.Embed && model.Plan.DecaysEmbeddings);
            return new Slot(t.Name, decays ? spec.WeightDecay : 0, weight, Like(weight), Like(weight));
        })];
    }

    public bool Naive { get; }

    /// <summary>Steps taken so far; bias correction depends on it, so it is part of a checkpoint.</summary>
    public long Steps { get; set; }

    /// <summary>The moments by name, <c>m.NAME</c> and <c>v.NAME</c>, in the model's order: what a checkpoint holds.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> State =>
        [.. _slots.SelectMany(s => new[] { ($"m.{s.Name}", s.First), ($"v.{s.Name}", s.Second) })];

    public void zero_grad()
    {
        foreach (var slot in _slots)
        {
            slot.Weight.grad = null;
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
        Tensor[] squares = [.. _slots.Select(s => s.Weight.grad).OfType<Tensor>().Select(g => g.pow(2).sum().to(float64))];

        // One wait for the device, not one per tensor.
        double norm = squares.Length == 0 ? 0 : Math.Sqrt(stack(squares).sum().item<double>());
        _scale = limit > 0 ? Math.Min(1, limit / (norm + 1e-6)) : 1;
        return norm;
    }

    /// <summary>One update at learning rate <paramref name="lr"/>. A parameter without gradient stays as it is.</summary>
    public void Step(double lr)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        Steps++;
        foreach (var group in _slots.Where(s => s.Weight.grad is not null).GroupBy(s => s.Decay))
        {
            var step = new AdamWStep(lr, _spec.Beta1, _spec.Beta2, _spec.Eps, group.Key, Steps, _scale);
            Slot[] slots = [.. group];
            bool fused = !Naive && HearthSeam.AdamW(
                [.. slots.Select(s => s.Weight)],
                [.. slots.Select(s => s.Weight.grad!)],
                [.. slots.Select(s => s.First)],
                [.. slots.Select(s => s.Second)],
                step);
            if (!fused)
            {
                foreach (var slot in slots)
                {
                    StepNaive(slot, step);
                }
            }
        }

        _scale = 1;
    }

    public void Dispose()
    {
        foreach (var slot in _slots)
        {
            slot.First.Dispose();
            slot.Second.Dispose();
        }
    }

    private static void StepNaive(Slot slot, AdamWStep step)
    {
        var grad = slot.Weight.grad! * step.Scale;
        slot.First.mul_(step.Beta1).add_(grad, 1 - step.Beta1);
        slot.Second.mul_(step.Beta2).addcmul_(grad, grad, 1 - step.Beta2);
        var first = slot.First / (1 - Math.Pow(step.Beta1, step.Step));
        var second = slot.Second / (1 - Math.Pow(step.Beta2, step.Step));
        slot.Weight.mul_(1 - (step.Lr * step.WeightDecay)).addcdiv_(first, second.sqrt() + step.Eps, -step.Lr);
    }

    private static Tensor Like(Tensor weight) => zeros(weight.shape, weight.dtype, weight.device).DetachFromDisposeScope();

    private sealed record Slot(string Name, double Decay, Tensor Weight, Tensor First, Tensor Second);
}
