using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>The loss of a loop that may stop, against its formula, and stage 2.</summary>
public sealed class Check05_LossTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("uniform", 4)]
    [InlineData("geometric", 4)]
    [InlineData("uniform", 1)]
    public void Check_5_masses_sum_to_one_the_divergence_is_positive_and_the_loss_is_the_formula(string prior, int loops)
    {
        var model = VuafSmall.Deciding(overrides: new { loop_steps = loops, halt_prior = prior, entropy_reg_coef = 0.3, moe_lb_loss_coef = 0.2 });
        var (ids, labels) = Rows();
        var totals = Count(model, labels);
        var loss = model.Loss(ids, labels, totals);
        var (ce, kl, masses) = ByHand(model, ids, labels, prior, loops);
        double aux = Balance(model, ids, loops);

        Assert.All(masses, p => Assert.Equal(1, p.Sum(), 1e-12));
        Assert.InRange(kl, loops == 1 ? -1e-12 : 1e-3, double.MaxValue);
        Assert.Equal(ce, Mean(model, loss, totals, "ce"), 1e-9);
        Assert.Equal(kl, Mean(model, loss, totals, "kl"), 1e-9);
        Assert.Equal(ce + (0.3 * kl) + (0.2 * aux), loss.Total.Number(), 1e-9);
        Assert.Equal(1, Enumerable.Range(1, loops).Sum(r => Mean(model, loss, totals, $"p.{r}")), 1e-12);
        Assert.Equal(aux, Mean(model, loss, totals, "aux"), 1e-12);
    }

    [Fact]
    public void Rows_weighed_one_by_one_give_the_gradients_of_all_logits_at_once()
    {
        manual_seed(3);
        int rows = HeadLoss.SliceRows + 77;
        var x = empty([rows, 12], float64).normal_().requires_grad_();
        var head = empty([31, 12], float64).normal_().requires_grad_();
        var weights = empty([rows], float64).uniform_(0, 1).requires_grad_();
        long[] targets = Small.Draw(rows, 31, 5);
        targets[3] = -100;
        var labels = tensor(targets);
        var logp = nn.functional.linear(x, head).log_softmax(-1);
        var each = logp.gather(1, labels.clamp(min: 0).unsqueeze(1)).view(-1).masked_fill(labels.lt(0), 0) * -1.0;
        (each * weights).sum().backward();
        Tensor[] expected = [.. new[] { x, head, weights }.Select(Take)];

        var loss = new HeadLoss(head, float64);
        var got = loss.AddRows(x, labels, weights);
        var total = loss.Total();
        total.backward();

        Assert.InRange(Small.Difference(each, got), 0, 1e-12);
        Assert.Equal((each * weights).sum().Number(), total.Number(), 1e-9);
        Assert.All(expected.Zip([x, head, weights]), pair => Assert.InRange(Small.Difference(pair.First, pair.Second.grad!), 0, 1e-11));
    }

    [Fact]
    public void Micro_batches_add_up_to_the_gradient_of_the_whole_batch()
    {
        // Without the router's loss, which is a mean over micro-batches by definition.
        var model = VuafSmall.Deciding(overrides: new { moe_lb_loss_coef = 0 });
        var ids = Small.Ids(4, 12, 40);
        var totals = Count(model, ids);
        model.Loss(ids, ids, totals).Total.backward();
        Tensor[] expected = [.. model.Parameters.Select(p => p.grad!.clone())];
        model.ClearGradients();
        for (int half = 0; half < 2; half++)
        {
            var part = ids.narrow(0, 2 * half, 2);
            model.Loss(part, part, totals with { MicroBatches = 2 }).Total.backward();
        }

        Assert.All(expected.Zip(model.Parameters), pair => Assert.InRange(
            Small.Difference(pair.First, pair.Second.grad!) / (1 + pair.First.pow(2).sum().sqrt().Number()), 0, 1e-8));
    }

    [Fact]
    public void In_the_warm_start_every_step_counts_alike_and_the_halt_head_rests()
    {
        var model = VuafSmall.Deciding(overrides: new { entropy_reg_coef = 0.3, moe_lb_loss_coef = 0, halt_warm_start = 0.3 });
        var (ids, labels) = Rows();
        var totals = Count(model, labels);
        LossResult At(long step) => model.Loss(model.Prepare(new LossInput(ids, labels, totals), new TrainingStep(1, step, 100, 1, 0)));

        var warm = At(29);
        warm.Total.backward();
        double even = Enumerable.Range(1, 4).Average(r => Mean(model, warm, totals, $"ce.{r}"));
        var halt = model.Weight("halt_head.proj.weight");

        Assert.Equal(even, warm.Total.Number(), 1e-9);
        Assert.True(halt.grad is null || halt.grad.pow(2).sum().Number() == 0);
        Assert.Equal(0.0, warm.Terms.Single(t => t.Name == "kl").Weight.Number());
        var after = At(30);
        after.Total.backward();
        Assert.NotEqual(0.0, halt.grad!.pow(2).sum().Number());
        Assert.Equal(0.3, after.Terms.Single(t => t.Name == "kl").Weight.Number());
    }

    [Fact]
    public void Stage_2_trains_the_halt_head_alone_on_what_the_next_step_gains()
    {
        var model = VuafSmall.Like(VuafSmall.Deciding(overrides: new { }), new { halt_only = true });
        var (ids, labels) = Rows();
        var totals = Count(model, labels);
        var loss = model.Loss(ids, labels, totals);
        loss.Total.backward();

        var trained = model.NamedParameters.Where(p => p.Value.grad is not null).Select(p => p.Name);
        Assert.Equal(["halt_head.proj.weight", "halt_head.proj.bias"], trained);
        var steps = model.Steps(ids.narrow(1, 0, 11), 4);
        double[][] ce = [.. steps.Select(s => Losses(s.Logits_BTV, labels))];
        double sum = 0;
        foreach (int r in Enumerable.Range(0, 3))
        {
            double[] halt = steps[r].Halt_BT!.flatten().HostArray<double>();
            for (int n = 0; n < halt.Length; n++)
            {
                double target = Sigmoid((50 * (ce[r + 1][n] - ce[r][n])) + 0.25), stop = Sigmoid(halt[n]);
                sum -= double.IsNaN(ce[r][n]) ? 0 : (target * Math.Log(stop)) + ((1 - target) * Math.Log(1 - stop));
            }
        }

        Assert.Equal(sum / (3 * totals.Counts[0]), loss.Total.Number(), 1e-8);
    }

    private static (Tensor Ids, Tensor Labels) Rows()
    {
        var ids = Small.Ids(3, 12, 40);
        long[] labels = ids.HostArray<long>();
        (labels[4], labels[20], labels[35]) = (-100, -100, -100);
        return (ids, tensor(labels, 3, 12));
    }

    private static LossTotals Count(VuafModel model, Tensor labels) => model.Count(Array.ConvertAll(labels.HostArray<long>(), l => (int)l), 12);

    private static double Mean(VuafModel model, LossResult loss, LossTotals totals, string term)
    {
        int at = model.Terms.ToList().IndexOf(term);
        return loss.Terms[at].Sum.Number() / totals.Counts[at];
    }

    private static (double Ce, double Kl, List<double[]> Masses) ByHand(VuafModel model, Tensor ids, Tensor labels, string prior, int loops)
    {
        using var quiet = no_grad();
        var steps = model.Steps(ids.narrow(1, 0, 11), loops);
        double[][] ce = [.. steps.Select(s => Losses(s.Logits_BTV, labels))];
        double[]?[] halt = [.. steps.Select(s => s.Halt_BT?.flatten().HostArray<double>())];
        double[] q = [.. Enumerable.Range(1, loops).Select(r => prior == "uniform" ? 1.0 / loops : r < loops ? 0.2 * Math.Pow(0.8, r - 1) : Math.Pow(0.8, loops - 1))];
        var masses = new List<double[]>();
        double sum = 0, divergence = 0;
        for (int n = 0; n < ce[0].Length; n++)
        {
            double left = 1;
            double[] p = [.. Enumerable.Range(0, loops).Select(r =>
            {
                double stop = halt[r] is { } z ? Sigmoid(z[n]) : 1, mass = left * stop;
                left *= 1 - stop;
                return mass;
            })];
            if (!double.IsNaN(ce[0][n]))
            {
                masses.Add(p);
                sum += p.Select((mass, r) => mass * ce[r][n]).Sum();
                divergence += p.Select((mass, r) => mass * Math.Log(mass / q[r])).Sum();
            }
        }

        return (sum / masses.Count, divergence / masses.Count, masses);
    }

    // The mean over loop steps of the balance losses of all mixture layers.
    private static double Balance(VuafModel model, Tensor ids, int loops)
    {
        using var quiet = no_grad();
        var losses = new List<Tensor>();
        foreach (var step in model.Loop(ids.narrow(1, 0, 11), loops, losses))
        {
            step.Dispose();
        }

        Assert.Equal(3 * loops, losses.Count);
        return losses.Sum(l => l.Number()) / loops;
    }

    // CE of each row, NaN where it is not counted.
    private static double[] Losses(Tensor logits_BTV, Tensor labels)
    {
        double[][] logits = [.. logits_BTV.HostArray<double>().Chunk(40)];
        long[] targets = labels.narrow(1, 1, 11).contiguous().HostArray<long>();
        return [.. logits.Zip(targets, (z, y) => y < 0 ? double.NaN : Math.Log(z.Sum(v => Math.Exp(v - z.Max()))) + z.Max() - z[y])];
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static Tensor Take(Tensor leaf)
    {
        var taken = leaf.grad!.clone();
        leaf.grad = null;
        return taken;
    }
}
