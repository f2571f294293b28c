using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class OptimTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Kinds() => [.. OptimizerKinds.Names];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_optimizer_of_the_table_is_built_and_keeps_the_bytes_that_its_row_says(string name)
    {
        foreach (var family in Families.All)
        {
            using var scope = NewDisposeScope();
            var model = Contract.FamilyContract.Of(family.Name).Build(float32);
            var spec = new OptimizerSpec { Name = name };
            using var optimizer = Optimizer.Create(model, spec);

            long kept = optimizer.State.Sum(s => s.Value.numel() * (s.Value.dtype == uint8 ? 1 : 4));

            Assert.Equal(model.Plan.Tensors.Sum(t => OptimizerKinds.Of(spec).StateBytes(t.Parameter, spec, 4)), kept);
            Assert.Equal(kept, MemoryForecast.Of(model.Plan, 1, 16, "fp32", spec).Optimizer);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Optimizers_check_1_three_steps_equal_the_rule_worked_out_by_hand(bool naive)
    {
        var model = Small.Tiny();
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 0.01, WeightDecay = 0.1 }, naive);
        var watched = new[] { "blocks.0.q", "tok_emb", "final_norm" }.Select(n => (Name: n, Group: n == "final_norm" ? 0 : 0.1, W: First(model, n), M: 0.0, V: 0.0)).ToArray();
        for (int step = 1; step <= 3; step++)
        {
            foreach (var (weight, index) in model.Parameters.Select((w, i) => (w, i)))
            {
                weight.grad = full(weight.shape, 0.1 * step * (index % 2 == 0 ? 1 : -2), ScalarType.Float64);
            }

            var names = model.Plan.Tensors.Select(t => t.Name).ToList();
            for (int i = 0; i < watched.Length; i++)
            {
                var (name, decay, w, m, v) = watched[i];
                double g = 0.1 * step * (names.IndexOf(name) % 2 == 0 ? 1 : -2);
                m = (0.9 * m) + (0.1 * g);
                v = (0.95 * v) + (0.05 * g * g);
                w -= (0.01 * decay * w) + (0.01 * m / (1 - Math.Pow(0.9, step)) / (Math.Sqrt(v / (1 - Math.Pow(0.95, step))) + 1e-8));
                watched[i] = (name, decay, w, m, v);
            }

            optimizer.Step(1);
        }

        Assert.Equal(3, optimizer.Steps);
        Assert.All(watched, x => Assert.Equal(x.W, First(model, x.Name), 1e-12));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 2e-6)]
    [InlineData(ScalarType.Float64, 1e-13)]
    public void The_fused_step_equals_the_plain_one(ScalarType dtype, double tolerance)
    {
        var (fused, naive) = (Small.Tiny(dtype: dtype), Small.Tiny(dtype: dtype));
        Copy(fused, naive);
        using var a = new AdamW(fused, new OptimizerSpec { Lr = 1e-3 });
        using var b = new AdamW(naive, new OptimizerSpec { Lr = 1e-3 }, naive: true);
        for (int step = 0; step < 5; step++)
        {
            double norm = Advance(fused, a, step);
            Copy(fused, naive, gradients: true);
            b.ClipGradNorm(0.01);
            a.Step(1);
            b.Step(1);
            Assert.True(norm > 0.01);
        }

        Assert.All(a.State.Zip(b.State), s => Assert.InRange(Small.Difference(s.First.Value, s.Second.Value), 0, tolerance));
        Assert.All(fused.Parameters.Zip(naive.Parameters), p => Assert.InRange(Small.Difference(p.First, p.Second), 0, tolerance));
    }

    [Fact]
    public void A_zero_gradient_decays_matrices_and_embeddings_and_leaves_vectors()
    {
        var model = Small.Tiny();
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 0.1, WeightDecay = 0.5 });
        var before = model.Parameters.Select(p => p.detach().clone()).ToArray();
        foreach (var weight in model.Parameters)
        {
            weight.grad = zeros(weight.shape, ScalarType.Float64);
        }

        optimizer.Step(1);

        foreach (var (spec, old) in model.Plan.Tensors.Zip(before))
        {
            var expected = spec.Group == ParameterGroup.Vector ? old : old * 0.95;
            Assert.InRange(Small.Difference(expected, model.Weight(spec.Name)), 0, 1e-15);
        }
    }

    [Fact]
    public void A_parameter_without_gradient_stays_as_it_is()
    {
        var model = Small.Tiny();
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 1e-3 });
        var before = model.Weight("blocks.0.q").detach().clone();
        model.Weight("blocks.0.k").grad = ones([8, 16], ScalarType.Float64);

        optimizer.Step(1);

        Assert.Equal(0.0, Small.Difference(before, model.Weight("blocks.0.q")));
    }

    [Fact]
    public void Each_group_has_its_own_peak_rate_and_the_rest_the_common_one()
    {
        var model = Small.Tiny();
        var spec = new OptimizerSpec { Lr = 0.1, MatrixLr = 0.2, EmbedLr = 0.3, WeightDecay = 0 };
        using var optimizer = new AdamW(model, spec);
        var before = model.Parameters.Select(p => p.detach().clone()).ToArray();
        foreach (var weight in model.Parameters)
        {
            weight.grad = ones(weight.shape, ScalarType.Float64);
        }

        optimizer.Step(0.5);

        foreach (var (tensor, old) in model.Plan.Tensors.Zip(before))
        {
            double rate = tensor.Group switch { ParameterGroup.Matrix => 0.1, ParameterGroup.Embed => 0.15, _ => 0.05 };
            Assert.InRange(Small.Difference(old - rate, model.Weight(tensor.Name)), 0, 1e-8);
        }
    }

    [Fact]
    public void Coupled_decay_joins_the_clipped_gradient()
    {
        var spec = new OptimizerSpec { Lr = 0.1, WeightDecay = 0.5, AdamDecay = "coupled" };
        var model = new BareModel(TensorSpec.Matrix("w", 2, 3, Init.Ones));
        using var optimizer = new AdamW(model, spec);
        model.Weight("w").grad = full([2, 3], -4.0, ScalarType.Float64);

        optimizer.ClipGradNorm(1);
        optimizer.Step(1);

        double grad = (-4 / (Math.Sqrt(6 * 16) + 1e-6)) + 0.5;
        Assert.Equal(0.1 * grad, optimizer.State[0].Value.HostArray<double>()[0], 1e-12);
        Assert.Equal(1 - (0.1 * grad / (Math.Abs(grad) + 1e-8)), First(model, "w"), 1e-12);
    }

    [Fact]
    public void A_row_without_gradient_keeps_weights_and_moments_where_the_family_says_so()
    {
        var dense = TensorSpec.Matrix("table", 3, 2, Init.Ones);
        var (sparse, plain) = (new BareModel(dense with { SkipsEmptyRows = true }), new BareModel(dense));
        using var a = new AdamW(sparse, new OptimizerSpec { Lr = 0.1 });
        using var b = new AdamW(plain, new OptimizerSpec { Lr = 0.1 });
        double[][] grads = [[1, 1, 2, 0, 0, 0], [0, 0, 1, 1, 0, 0]];
        var states = new List<double[]>();
        foreach (double[] grad in grads)
        {
            foreach (var (model, optimizer) in new (LanguageModel, Optimizer)[] { (sparse, a), (plain, b) })
            {
                model.Weight("table").grad = tensor(grad, 3, 2);
                optimizer.Step(1);
            }

            states.Add([.. a.State.SelectMany(s => s.Value.HostArray<double>())]);
        }

        double[] w = sparse.Weight("table").HostArray<double>(), all = plain.Weight("table").HostArray<double>();
        Assert.Equal([1.0, 1], w[4..]);
        Assert.Equal(all[2..4], w[2..4]);
        Assert.NotEqual(all[0], w[0]);
        Assert.Equal(states[0][..2], states[1][..2]);
        Assert.NotEqual(states[0][2], states[1][2]);
    }

    [Fact]
    public void Clipping_scales_the_next_step_by_the_global_norm()
    {
        var model = Small.Tiny();
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 1e-3 });
        model.Weight("blocks.0.q").grad = full([16, 16], 3.0, ScalarType.Float64);
        model.Weight("final_norm").grad = full([16], 4.0, ScalarType.Float64);

        double norm = optimizer.ClipGradNorm(1);
        optimizer.Step(1);

        Assert.Equal(Math.Sqrt((256 * 9) + (16 * 16)), norm, 1e-9);
        double first = optimizer.State.Single(s => s.Name == "m.blocks.0.q").Value.HostArray<double>()[0];
        Assert.Equal(0.1 * 3 / (norm + 1e-6), first, 1e-12);

        optimizer.ClipGradNorm(0);
        optimizer.Step(1);
        Assert.Equal((0.9 * first) + 0.3, optimizer.State.Single(s => s.Name == "m.blocks.0.q").Value.HostArray<double>()[0], 1e-12);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_gradient_that_is_not_finite_shows_in_the_norm(double bad)
    {
        var model = Small.Tiny();
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = 1e-3 });
        model.Weight("blocks.0.q").grad = ones([16, 16], ScalarType.Float64);
        model.Weight("mtp.2.norm_e").grad = full([16], bad, ScalarType.Float64);

        Assert.False(double.IsFinite(optimizer.ClipGradNorm(1)));
    }

    private static double Advance(LanguageModel model, Optimizer optimizer, int seed)
    {
        optimizer.ClearGradients();
        var ids = Small.Ids(2, 12, 40, seed);
        var totals = model.Count([.. ids.HostArray<long>().Select(i => (int)i)], 12);
        model.Loss(ids, ids, totals).Total.backward();
        return optimizer.ClipGradNorm(0.01);
    }

    private static void Copy(LanguageModel from, LanguageModel to, bool gradients = false)
    {
        using var quiet = no_grad();
        foreach (var (name, weight) in from.NamedParameters)
        {
            if (gradients)
            {
                to.Weight(name).grad = weight.grad!.clone();
            }
            else
            {
                to.Weight(name).copy_(weight);
            }
        }
    }

    private static double First(LanguageModel model, string name) => model.Weight(name).HostArray<double>()[0];
}
