using Hearth.Kernels;
using Hearth.Models.Positronic;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Checks 13 and 14: what carries a trained model, and gradients against differences.</summary>
public sealed class Check13_AblationTests(ITestOutputHelper output) : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_13_of_a_model_that_knows_its_text_by_heart_the_oscillators_carry_most()
    {
        var ids = Nano.Ids(4, 64);
        var model = Trained(ids);
        using var quiet = no_grad();
        var whole = model.Logits(ids);
        var moved = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var (trait, shut) in Traits)
        {
            var names = model.Plan.Tensors.Select(t => t.Name).Where(shut).ToArray();
            Assert.NotEmpty(names);
            Tensor[] kept = [.. names.Select(n => model.Weight(n).clone())];
            foreach (string name in names)
            {
                model.Weight(name).zero_();
            }

            moved[trait] = Nano.Changed(whole, model.Logits(ids));
            for (int i = 0; i < names.Length; i++)
            {
                model.Weight(names[i]).copy_(kept[i]);
            }
        }

        foreach (var (trait, by) in moved.OrderByDescending(m => m.Value))
        {
            output.WriteLine($"{trait,-12} {by:0.0000}");
        }

        Assert.Equal("oscillators", moved.MaxBy(m => m.Value).Key);
        Assert.Equal(0.0, Nano.Changed(whole, model.Logits(ids)));
    }

    [Fact]
    public void Check_14_gradients_equal_central_differences_through_two_writes_of_the_memory()
    {
        // No stop-gradient is active: controllers and the state predictor off, every gate open past its least slope.
        var model = Nano.Open(new { use_jepa = false, use_ring_controllers = false });
        var ids = Nano.Ids(1, 40);
        var before = Nano.Train(model, ids).Loss;
        before.Total.backward();
        foreach (var spec in model.Plan.Tensors.Where(t => !t.Name.StartsWith("controller", StringComparison.Ordinal) && !t.Name.StartsWith("jepa", StringComparison.Ordinal) && !t.Name.StartsWith("layers.1", StringComparison.Ordinal)))
        {
            var weight = model.Weight(spec.Name);
            var gradient = weight.grad ?? throw new InvalidOperationException($"{spec.Name} has no gradient");
            using var scope = NewDisposeScope();
            using var quiet = no_grad();
            manual_seed(3);
            var direction = empty(weight.shape, float64).normal_();
            var start = weight.clone();
            const double step = 1e-5;
            double slope = (gradient * direction).sum().Number();
            weight.copy_(start + (direction * step));
            double above = Nano.Train(model, ids).Loss.Total.Number();
            weight.copy_(start - (direction * step));
            double below = Nano.Train(model, ids).Loss.Total.Number();
            weight.copy_(start);

            double measured = (above - below) / (2 * step);
            Assert.True(Math.Abs(measured - slope) <= 1e-6 * (1 + Math.Abs(slope)), $"{spec.Name}: {slope} by gradient, {measured} by differences");
        }
    }

    private static readonly (string Trait, Func<string, bool> Shut)[] Traits =
    [
        ("oscillators", n => n.EndsWith(".osc.gate", StringComparison.Ordinal)),
        ("experts", n => n.StartsWith("moe.", StringComparison.Ordinal) && n.EndsWith(".down", StringComparison.Ordinal)),
        ("controllers", n => n.StartsWith("controller", StringComparison.Ordinal)),
        ("refinement", n => n == "hrm.gate"),
        ("fractal seed", n => n.EndsWith(".fractal_gate", StringComparison.Ordinal)),
        ("slots", n => n.Contains(".slot", StringComparison.Ordinal) && n.EndsWith(".gate", StringComparison.Ordinal)),
        ("specialists", n => n.EndsWith(".scale", StringComparison.Ordinal)),
    ];

    // The smoke test of every family: cross entropy below 0.1 on 4 fixed sequences of 64 tokens in at most 500 steps.
    private static PositronicModel Trained(Tensor ids_BT)
    {

        // The large model's proportions: oscillators and experts as wide, to the width of the state, as there. The plain nano model, with
        // a third as many oscillators and two layers, leans on its experts more.
        var model = Nano.Fresh(new { n_layer = 6, rings = new[] { 6, 12, 24 }, moe_hidden = 150 }, ScalarType.Float32);
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Name = "adamw", Lr = 3e-3, WeightDecay = 0 });
        double ce = double.PositiveInfinity;
        for (int step = 0; step < 500 && ce >= 0.1; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var (loss, totals) = Nano.Train(model, ids_BT);
            loss.Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
            ce = loss.Terms[0].Sum.Number() / totals.Counts[0];
        }

        Assert.True(ce < 0.1, $"cross entropy {ce} after 500 steps");
        optimizer.ClearGradients();
        return model;
    }
}
