using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Training.Optim;

/// <summary>AdamW over all parameters of a model.</summary>
/// <param name="model">Whose parameters to update.</param>
/// <param name="spec">Rates, betas, epsilon and decay.</param>
/// <param name="naive">Plain operators per tensor: the truth that the fused step is tested against.</param>
public sealed class AdamW(LanguageModel model, OptimizerSpec spec, bool naive = false)
    : Optimizer(model, new AdamWRule([.. model.Plan.Tensors.Select(t => Slice.Whole(model, t, spec))], spec, naive));

/// <summary>
/// AdamW (Loshchilov &amp; Hutter, arXiv 1711.05101), or Adam with coupled decay (wd·W joins the clipped gradient). Moments in
/// the parameters' own precision, named <c>m.NAME</c> and <c>v.NAME</c>.
/// </summary>
internal sealed class AdamWRule : UpdateRule
{
    private readonly OptimizerSpec _spec;
    private readonly bool _naive;
    private readonly bool _coupled;
    private readonly Slot[] _slots;

    public AdamWRule(IReadOnlyList<Slice> slices, OptimizerSpec spec, bool naive = false)
    {
        (_spec, _naive, _coupled) = (spec, naive, spec.AdamDecay == "coupled");
        _slots = [.. slices.Select(s => new Slot(s, s.Zeros(), s.Zeros()))];
    }

    public override IReadOnlyList<(string Name, Tensor Value)> State =>
        [.. _slots.SelectMany(s => new[] { ($"m.{s.Slice.Spec.Name}", s.First), ($"v.{s.Slice.Spec.Name}", s.Second) })];

    public override void Step(UpdateStep step)
    {
        var live = _slots.Where(s => s.Slice.Grad is not null);
        foreach (var group in live.GroupBy(s => (s.Slice.Rate, s.Slice.Decay, Sparse: s.Slice.Spec.SkipsEmptyRows)))
        {
            Slot[] slots = [.. group];
            Tensor[] grads = [.. slots.Select(s => s.Slice.Grad!)];
            var (scale, decay) = (step.Scale, group.Key.Decay);
            if (_coupled && decay > 0)
            {
                grads = [.. slots.Select((s, i) => (grads[i] * step.Scale) + (s.Slice.Weight.detach() * decay))];
                (scale, decay) = (1, 0);
            }

            var adam = new AdamWStep(group.Key.Rate * step.Factor, _spec.Beta1, _spec.Beta2, _spec.Eps, decay, step.Step, scale);
            if (group.Key.Sparse || _naive || !Fused(slots, grads, adam))
            {
                for (int i = 0; i < slots.Length; i++)
                {
                    Plain(slots[i], grads[i], adam);
                }
            }
        }
    }

    public override void Dispose()
    {
        foreach (var slot in _slots)
        {
            slot.Slice.Dispose();
            slot.First.Dispose();
            slot.Second.Dispose();
        }
    }

    private static bool Fused(Slot[] slots, Tensor[] grads, AdamWStep step) =>
        FusedKernels.AdamW([.. slots.Select(s => s.Slice.Weight)], grads, [.. slots.Select(s => s.First)], [.. slots.Select(s => s.Second)], step);

    private static void Plain(Slot slot, Tensor grad, AdamWStep step)
    {
        var (weight, first, second) = (slot.Slice.Weight, slot.First, slot.Second);
        if (!slot.Slice.Spec.SkipsEmptyRows)
        {
            Update(weight, grad, first, second, step);
            return;
        }

        var touched = grad.ne(0).sum(-1, keepdim: true).gt(0);
        var (w, m, v) = (weight.detach().clone(), first.clone(), second.clone());
        Update(w, grad, m, v, step);
        weight.copy_(where(touched, w, weight));
        first.copy_(where(touched, m, first));
        second.copy_(where(touched, v, second));
    }

    private static void Update(Tensor weight, Tensor grad, Tensor first, Tensor second, AdamWStep step)
    {
        grad = grad * step.Scale;
        first.mul_(step.Beta1).add_(grad, 1 - step.Beta1);
        second.mul_(step.Beta2).addcmul_(grad, grad, 1 - step.Beta2);
        var m = first / (1 - Math.Pow(step.Beta1, step.Step));
        var v = second / (1 - Math.Pow(step.Beta2, step.Step));
        weight.mul_(1 - (step.Lr * step.WeightDecay)).addcdiv_(m, v.sqrt() + step.Eps, -step.Lr);
    }

    private sealed record Slot(Slice Slice, Tensor First, Tensor Second);
}
