using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Moa;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>The triangle term, its triples, the balance term and how they join the loss (acceptance check 6).</summary>
public sealed class MoaLossTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(0, 0, 0, 0, 0, 32, 6, 30, 25)]
    [InlineData(1234, 7, 1, 1, 63, 32, 23, 2, 20)]
    [InlineData(4294967295, 100000, 11, 7, 3, 2048, 772, 748, 1426)]
    public void Check_6_triples_are_the_stated_ones(long seed, long step, int layer, long row, int triple, long time, long a, long b, long c)
    {
        Assert.Equal(0x514E28B7u, Triples.Mix(1));
        Assert.Equal([a, b, c], Enumerable.Range(0, 3).Select(corner => Triples.Position(MoaSmall.Step(step, seed), layer, row, triple, corner, time)));
    }

    [Theory]
    [InlineData("l2")]
    [InlineData("cosine")]
    [InlineData("maha_diag")]
    public void Check_6_equal_queries_and_keys_break_no_inequality(string metric)
    {
        var model = MoaSmall.Tiny(new { metric });
        var ids = Small.Ids(3, 20, 40);
        QueriesFromKeys(model, -1);
        Assert.NotEqual(0.0, MoaSmall.Loss(model, ids, MoaSmall.Step()).Terms[1].Sum.Number());

        QueriesFromKeys(model, 1);
        Assert.Equal(0.0, MoaSmall.Loss(model, ids, MoaSmall.Step()).Terms[1].Sum.Number());
    }

    [Fact]
    public void Check_6_a_constructed_violation_counts_as_much_as_it_is_over()
    {
        // Query t stands at 10t, key t at 10(t − 1): going on by one costs nothing, so a way over b is too short for c > b > a.
        const int time = 9, samples = 40;
        var at = MoaSmall.Step(3) with { FirstRow = 5 };
        var drawn = TriangleTerm.Draw(at, 2, samples, 1, time, CPU).ToDictionary(t => t.Name, t => t.Value, StringComparer.Ordinal);
        var term = new TriangleTerm(drawn, learned: true);
        var positions = (arange(0, time, float64) * 10.0).view(1, time, 1, 1);
        term.Enter(2);
        term.Add(positions, positions - 10.0, full([1, 1], 0.5, float64));

        double expected = 0;
        for (int i = 0; i < samples; i++)
        {
            long[] p = [.. Enumerable.Range(0, 3).Select(corner => Triples.Position(at, 2, 5, i, corner, time))];
            double Distance(int from, int to) => Math.Sqrt(Math.Pow(5.0 * (p[from] - p[to] + 1), 2) + 1e-6);
            expected += Math.Max(0, Distance(0, 2) - Distance(0, 1) - Distance(1, 2)) / samples;
        }

        Assert.True(expected > 0);
        Assert.Equal(expected, term.Mean().Number(), 1e-12);
    }

    [Fact]
    public void Check_6_the_term_reaches_queries_and_keys_of_both_paths()
    {
        var with = Gradients(MoaSmall.Tiny(new { ti_weight = 1, ti_ramp_steps = 0 }));
        var without = Gradients(MoaSmall.Tiny(new { ti_weight = 0 }));

        Assert.All(["mh.q", "mh.k", "mqa.q", "mqa.k"], name => Assert.NotEqual(0.0, Small.Difference(with($"blocks.1.{name}"), without($"blocks.1.{name}"))));
        Assert.Equal(0.0, Small.Difference(with("blocks.1.mh.v"), without("blocks.1.mh.v")));
    }

    [Fact]
    public void Without_a_weight_the_term_is_measured_and_adds_nothing()
    {
        var ids = Small.Ids(2, 12, 40);
        var weighed = MoaSmall.Loss(MoaSmall.Tiny(new { ti_weight = 1, ti_ramp_steps = 0, ti_samples = 512 }), ids, MoaSmall.Step(1));
        var measured = MoaSmall.Loss(MoaSmall.Tiny(new { ti_weight = 0, ti_samples = 512 }), ids, MoaSmall.Step(1));

        Assert.True(weighed.Terms[1].Sum.Number() > 0);
        Assert.Equal(weighed.Terms[1].Sum.Number(), measured.Terms[1].Sum.Number());
        Assert.Equal(measured.Terms[0].Sum.Number() / 22, measured.Total.Number(), 1e-12);
    }

    [Fact]
    public void The_triangle_weight_rises_over_its_ramp()
    {
        var model = MoaSmall.Tiny(new { ti_weight = 0.5, ti_ramp_steps = 4 });
        var ids = Small.Ids(2, 12, 40);

        Assert.Equal([0.125, 0.25, 0.375, 0.5, 0.5], Enumerable.Range(0, 5).Select(step => Weight(model, step)));
        var loss = MoaSmall.Loss(model, ids, MoaSmall.Step(1));
        Assert.Equal((loss.Terms[0].Sum.Number() / 22) + (0.25 * loss.Terms[1].Sum.Number()), loss.Total.Number(), 1e-12);
        Assert.Equal(0.5, Weight(MoaSmall.Tiny(new { ti_weight = 0.5, ti_ramp_steps = 0 }), 0));

        double Weight(MoaModel of, long step) => MoaSmall.Loss(of, ids, MoaSmall.Step(step)).Terms[1].Weight.Number();
    }

    [Fact]
    public void Outside_training_there_is_the_cross_entropy_alone()
    {
        var model = MoaSmall.Tiny(new { ti_weight = 1, router_balance = 1 });
        var loss = MoaSmall.Loss(model, Small.Ids(2, 12, 40), null);

        Assert.Equal(loss.Terms[0].Sum.Number() / 22, loss.Total.Number(), 1e-12);
        Assert.Equal((0.0, 0.0), (loss.Terms[1].Sum.Number(), loss.Terms[2].Sum.Number()));
    }

    [Fact]
    public void Balance_is_one_for_even_use_and_four_for_one_path()
    {
        var model = MoaSmall.Tiny(new { router_balance = 0.5, ti_weight = 0 });
        var ids = Small.Ids(2, 12, 40);
        foreach (string name in model.Plan.Tensors.Select(t => t.Name).Where(n => n.Contains(".router.", StringComparison.Ordinal)))
        {
            MoaSmall.Set(model, name, 0);
        }

        Assert.Equal(1.0, MoaSmall.Loss(model, ids, MoaSmall.Step()).Terms[2].Sum.Number(), 1e-12);
        using (no_grad())
        {
            model.Weight("blocks.0.router.b2").narrow(0, 1, 1).fill_(1000);
            model.Weight("blocks.1.router.b2").narrow(0, 2, 1).fill_(1000);
        }

        var one = MoaSmall.Loss(model, ids, MoaSmall.Step());
        Assert.Equal(4.0, one.Terms[2].Sum.Number(), 1e-12);
        Assert.Equal((one.Terms[0].Sum.Number() / 22) + 2, one.Total.Number(), 1e-12);
    }

    [Fact]
    public void Micro_batches_add_up_to_the_whole_batch()
    {
        var model = MoaSmall.Tiny(new { ti_weight = 1, ti_ramp_steps = 0 });
        var ids = Small.Ids(4, 10, 40);
        var whole = MoaSmall.Loss(model, ids, MoaSmall.Step(5));
        whole.Total.backward();
        var expected = model.Parameters.Select(p => p.grad?.clone()).ToArray();
        model.ClearGradients();

        var totals = new LossTotals([36, 1, 1], MicroBatches: 2);
        double triangle = 0;
        foreach (int first in new[] { 0, 2 })
        {
            var part = ids.narrow(0, first, 2);
            var loss = model.Loss(model.Prepare(new LossInput(part, part, totals), MoaSmall.Step(5) with { FirstRow = first }));
            loss.Total.backward();
            triangle += loss.Terms[1].Sum.Number();
        }

        Assert.Equal(whole.Terms[1].Sum.Number(), triangle, 1e-12);
        Assert.All(expected.Zip(model.Parameters), p =>
        {
            if (p.First is { } grad)
            {
                MoaSmall.Near(grad, p.Second.grad!, 1e-12);
            }
        });
    }

    [Theory]
    [InlineData("maha_diag", true, 0)]
    [InlineData("l2", false, 2)]
    [InlineData("cosine", true, 2)]
    public void Gradients_are_central_differences(string metric, bool balls, int topk)
    {
        var model = MoaSmall.Tiny(new { metric, use_balls = balls, radius_init = 50, router_topk = topk, ti_weight = 1, ti_ramp_steps = 0, router_balance = 0.1 });
        var ids = Small.Ids(2, 9, 40);
        MoaSmall.Loss(model, ids, MoaSmall.Step()).Total.backward();

        const double step = 1e-5;
        foreach (var (name, weight) in model.NamedParameters)
        {
            // A ball's pull has no value: its gradient is a rule, not a derivative.
            if (weight.grad is not { } found || name.EndsWith(".radius", StringComparison.Ordinal) || name.EndsWith(".origin", StringComparison.Ordinal))
            {
                continue;
            }

            double[] gradient = found.HostArray<double>();
            int at = Array.IndexOf(gradient, gradient.MaxBy(Math.Abs));
            double Value(double shift)
            {
                using var quiet = no_grad();
                weight.flatten().narrow(0, at, 1).add_(full([1], shift, float64));
                double value = MoaSmall.Loss(model, ids, MoaSmall.Step()).Total.Number();
                weight.flatten().narrow(0, at, 1).add_(full([1], -shift, float64));
                return value;
            }

            double expected = (Value(step) - Value(-step)) / (2 * step);
            Assert.True(Math.Abs(expected - gradient[at]) <= 1e-6 * (0.01 + Math.Abs(expected)), $"{name}: {gradient[at]} for {expected}");
        }
    }

    // Keys on a line: queries that mirror them break the inequality often, queries equal to them never.
    private static void QueriesFromKeys(MoaModel model, double factor)
    {
        using var quiet = no_grad();
        foreach (string path in new[] { "blocks.0.mh", "blocks.0.mqa", "blocks.1.mh", "blocks.1.mqa" })
        {
            var (q, k) = (model.Weight(path + ".q"), model.Weight(path + ".k"));
            for (long head = 0; head < k.size(0) / 8; head++)
            {
                k.narrow(0, (8 * head) + 1, 7).zero_();
            }

            q.copy_(k.size(0) == q.size(0) ? k * factor : cat([k, k]) * factor);
        }
    }

    private static Func<string, Tensor> Gradients(MoaModel model)
    {
        QueriesFromKeys(model, -1);
        MoaSmall.Loss(model, Small.Ids(3, 20, 40), MoaSmall.Step()).Total.backward();
        return name => model.Weight(name).grad!;
    }
}
