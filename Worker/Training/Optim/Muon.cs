using Hearth.Models;
using Hearth.Runs;
using static TorchSharp.torch;

// N matrices of one shape, R rows, C columns.
namespace Hearth.Training.Optim;

/// <summary>
/// Muon (Keller Jordan, https://kellerjordan.github.io/posts/muon) for what the family's <see cref="TensorSpec.MuonRows"/>
/// name, Adam for every other tensor and row.
/// </summary>
public sealed class MuonAdam(LanguageModel model, OptimizerSpec spec)
    : Optimizer(model, new MuonRule(Matrices(model, spec), spec, model.Device.index >= 0 ? model.Compute : model.Dtype), new AdamWRule(Rest(model, spec), spec))
{
    private static IReadOnlyList<Slice> Matrices(LanguageModel model, OptimizerSpec spec)
    {
        var slices = new List<Slice>();
        foreach (var tensor in model.Plan.Tensors)
        {
            long first = 0;
            foreach (long rows in tensor.MuonRows)
            {
                slices.Add(Slice.Of(model, tensor, spec, first, rows));
                first += rows;
            }
        }

        return slices;
    }

    private static IReadOnlyList<Slice> Rest(LanguageModel model, OptimizerSpec spec)
    {
        var slices = new List<Slice>();
        foreach (var tensor in model.Plan.Tensors)
        {
            long all = tensor.Count / tensor.Shape[^1], taken = tensor.MuonRows.Sum();
            if (taken == 0)
            {
                slices.Add(Slice.Whole(model, tensor, spec));
            }
            else if (taken < all)
            {
                slices.Add(Slice.Of(model, tensor, spec, taken, all - taken));
            }
        }

        return slices;
    }
}

/// <summary>
/// <c>b ← μb + g</c>, <c>u = g + μb</c> (Nesterov), <c>W ← W(1 − lr·wd) − lr·√max(1, r/c)·orthogonal(u)</c>. The momentum is
/// named <c>mu.NAME</c>, with the matrix's index behind it where a tensor stacks several.
/// </summary>
internal sealed class MuonRule(IReadOnlyList<Slice> slices, OptimizerSpec spec, ScalarType compute) : UpdateRule
{
    private readonly Slot[] _slots = [.. Name(slices)];
    private Slot[][]? _batches;

    public override IReadOnlyList<(string Name, Tensor Value)> State => [.. _slots.Select(s => (s.Name, s.Momentum))];

    // Matrices that are turned together: of one shape, or its transpose, and no more than the forecast counts.
    private Slot[][] Batches => _batches ??=
    [
        .. _slots.GroupBy(s => (s.Shorter, s.Longer))
            .SelectMany(shape => shape.Chunk((int)Math.Max(1, OptimizerKinds.MuonBatchElements / (shape.Key.Shorter * shape.Key.Longer)))),
    ];

    public override void Step(UpdateStep step)
    {
        double momentum = Schedules.Momentum(spec, step.Step - 1);
        foreach (var batch in Batches)
        {
            using var scope = NewDisposeScope();
            Turn([.. batch.Where(s => s.Slice.Grad is not null)], momentum, step);
        }
    }

    private void Turn(Slot[] batch, double momentum, UpdateStep step)
    {
        if (batch.Length == 0)
        {
            return;
        }

        var turned_NRC = NewtonSchulz.Orthogonalize(stack([.. batch.Select(s => Wide(Direction(s, momentum, step)))]), spec.MuonIterations, compute);
        for (int i = 0; i < batch.Length; i++)
        {
            var slice = batch[i].Slice;
            long rows = slice.Weight.size(0), columns = slice.Weight.size(1);
            double rate = slice.Rate * step.Factor;
            var turned = turned_NRC.select(0, i);
            slice.Weight.mul_(1 - (rate * slice.Decay)).add_(rows > columns ? turned.transpose(0, 1) : turned, -rate * Math.Sqrt(Math.Max(1, (double)rows / columns)));
        }
    }

    private static Tensor Direction(Slot slot, double momentum, UpdateStep step)
    {
        var grad = slot.Slice.Grad!;
        slot.Momentum.mul_(momentum).add_(grad, step.Scale);
        return (grad * step.Scale).add_(slot.Momentum, momentum);
    }

    public override void Dispose()
    {
        foreach (var slot in _slots)
        {
            slot.Slice.Dispose();
            slot.Momentum.Dispose();
        }
    }

    private static Tensor Wide(Tensor matrix) => matrix.size(0) > matrix.size(1) ? matrix.transpose(0, 1) : matrix;

    private static IEnumerable<Slot> Name(IReadOnlyList<Slice> slices)
    {
        foreach (var tensor in slices.GroupBy(s => s.Spec))
        {
            int index = 0, count = tensor.Count();
            foreach (var slice in tensor)
            {
                yield return new Slot(count == 1 ? $"mu.{tensor.Key.Name}" : $"mu.{tensor.Key.Name}.{index++}", slice, slice.Zeros());
            }
        }
    }

    private sealed record Slot(string Name, Slice Slice, Tensor Momentum)
    {
        public long Shorter => Math.Min(Momentum.size(0), Momentum.size(1));

        public long Longer => Math.Max(Momentum.size(0), Momentum.size(1));
    }
}
