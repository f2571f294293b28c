using Hearth.Kernels;
using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Choice of experts, the router's losses, and dispatch against every expert on every row.</summary>
public sealed class ExpertsTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public ExpertsTests() => manual_seed(3);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Of_equal_probabilities_the_lowest_experts_are_chosen()
    {
        var routing = Experts.Route(tensor(new[] { 0.0, 1, 0, 1, 2, 2, 2, 2 }, 2, 4), 3);

        Assert.Equal([1L, 3, 0, 0, 1, 2], routing.Experts_NK.HostArray<long>());
    }

    [Fact]
    public void One_choice_counts_by_its_probability_and_several_by_their_shares()
    {
        var logits = Normal([7, 4]);
        var p = logits.softmax(-1).HostArray<double>();

        Assert.Equal(p.Chunk(4).Select(row => row.Max()), Experts.Route(logits, 1).Gates_NK.HostArray<double>());
        double[] two = Experts.Route(logits, 2).Gates_NK.HostArray<double>();
        foreach (var (row, gates) in p.Chunk(4).Zip(two.Chunk(2)))
        {
            double[] best = [.. row.OrderDescending().Take(2)];
            Assert.Equal(best[0] / best.Sum(), gates[0], 1e-14);
            Assert.Equal(1, gates.Sum(), 1e-14);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void More_choices_than_experts_or_none_are_refused(int topK)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Experts.Route(Normal([2, 4]), topK));
        Assert.Contains($"topK is {topK}. Allowed: 1 to 4.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Every_expert_on_every_row_gives_what_dispatch_gives_with_every_gradient(int topK)
    {
        // No row chooses the last expert.
        var logits = Normal([9, 4]) + tensor(new[] { 0.0, 0, 0, -50 }, 1, 4);
        Tensor[] start = [Normal([9, 3]), logits, .. Enumerable.Range(0, 4).Select(_ => Normal([3, 3]))];
        var results = new List<Tensor[]>();
        foreach (bool everywhere in new[] { true, false })
        {
            Tensor[] leaves = [.. start.Select(s => nn.Parameter(s.detach().clone()))];
            var routing = Experts.Route(leaves[1], topK);
            Tensor Expert(int e, Tensor rows) => nn.functional.linear(rows, leaves[2 + e]).tanh();
            var y = everywhere ? Experts.Everywhere(leaves[0], routing, Expert) : Experts.Dispatch(leaves[0], routing, Expert);
            (y * arange(0, 27, ScalarType.Float64).view(9, 3).cos()).sum().backward();
            results.Add([y.detach(), .. leaves.Select(l => l.grad!)]);
        }

        Assert.All(results[0].Zip(results[1]), pair => Assert.InRange(Small.Difference(pair.First, pair.Second), 0, 1e-13));
    }

    [Fact]
    public void An_even_router_has_a_balance_loss_of_one_and_a_collapsed_one_of_all_experts()
    {
        var even = Experts.Route(zeros([8, 4], ScalarType.Float64), 1);
        var collapsed = Experts.Route(tensor(new[] { 50.0, 0, 0, 0 }, 1, 4).expand(8, 4), 1);

        Assert.Equal(1, Experts.LoadBalance(even).Number(), 1e-14);
        Assert.Equal(4, Experts.LoadBalance(collapsed).Number(), 1e-12);
        Assert.Equal(1, Experts.Shares(Experts.Route(Normal([9, 4]), 2)).sum().Number(), 1e-14);
    }

    [Fact]
    public void The_routers_z_loss_is_the_mean_squared_logsumexp()
    {
        var logits = Normal([5, 3]);
        double expected = logits.HostArray<double>().Chunk(3).Average(row => Math.Pow(Math.Log(row.Sum(Math.Exp)), 2));

        Assert.Equal(expected, Experts.RouterZ(logits).Number(), 1e-12);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Dispatch_equals_every_expert_on_every_row_in_value_and_gradient(int topK)
    {
        var (x, router, weights) = (Normal([13, 6]).requires_grad_(), Normal([4, 6]).requires_grad_(), Normal([4, 6, 6]).requires_grad_());
        Tensor Expert(int e, Tensor rows) => rows.mm(weights.select(0, e)).tanh();

        var dense = Experts.Route(nn.functional.linear(x, router), topK);
        var all_NED = stack([.. Enumerable.Range(0, 4).Select(e => Expert(e, x))], 1);
        var gates_NE = stack([.. Enumerable.Range(0, 4).Select(e => dense.Gates_NK.masked_fill(dense.Experts_NK.ne(e), 0).sum(1))], 1);
        var expected = (all_NED * gates_NE.unsqueeze(2)).sum(1);
        expected.pow(2).sum().backward();
        Tensor[] gradients = [.. new[] { x, router, weights }.Select(Take)];

        var got = Experts.Dispatch(x, Experts.Route(nn.functional.linear(x, router), topK), Expert);
        got.pow(2).sum().backward();

        Assert.InRange(Small.Difference(expected, got), 0, 1e-13);
        foreach (var (wanted, leaf) in gradients.Zip([x, router, weights]))
        {
            Assert.InRange(Small.Difference(wanted, leaf.grad!), 0, 1e-12);
        }
    }

    [Fact]
    public void An_expert_without_rows_has_a_gradient_of_zero_and_is_left_out_where_none_is_kept()
    {
        var x = Normal([5, 6]);
        Tensor[] weights = [Normal([6, 6]).requires_grad_(), Normal([6, 6]).requires_grad_()];
        var first = Experts.Route(tensor(new[] { 1.0, 0 }, 1, 2).expand(5, 2), 1);
        var called = new HashSet<int>();
        Tensor Expert(int e, Tensor rows)
        {
            called.Add(e);
            return rows.mm(weights[e]);
        }

        Experts.Dispatch(x, first, Expert).sum().backward();
        Assert.True(weights[0].grad!.abs().sum().Number() > 0);
        Assert.Equal(0.0, weights[1].grad!.abs().sum().Number());

        called.Clear();
        using var quiet = no_grad();
        _ = Experts.Dispatch(x, first, Expert);
        Assert.Equal([0], called);
    }

    [Fact]
    public void Permuted_rows_give_permuted_results()
    {
        var (x, router) = (Normal([11, 6]), Normal([4, 6]));
        var order = tensor(new long[] { 3, 0, 10, 7, 1, 2, 9, 4, 8, 6, 5 });
        Tensor Run(Tensor rows) => Experts.Dispatch(rows, Experts.Route(nn.functional.linear(rows, router), 2), (e, part) => part * (e + 1.0));

        Assert.InRange(Small.Difference(Run(x).index_select(0, order), Run(x.index_select(0, order))), 0, 1e-14);
    }

    [Fact]
    public void Over_the_limit_first_choices_and_early_positions_stay()
    {
        // Two rows of two positions; all want expert 0 first and expert 1 second: ⌈1·4·2/2⌉ = 4 places, then ⌈0.5·…⌉ = 2.
        long[] chosen = [0, 1, 0, 1, 0, 1, 0, 1];

        var all = DispatchPlan.Of(chosen, 2, 2, ExpertCapacity.ByPosition(1, 2, 2));
        var half = DispatchPlan.Of(chosen, 2, 2, ExpertCapacity.ByPosition(0.5, 2, 2));

        Assert.Equal([4, 4], all.Counts);
        Assert.Equal([2, 2], half.Counts);

        // Rows 0 and 2 hold position 0 of either text.
        Assert.Equal([0L, 2, 0, 2], half.Rows);
        Assert.Equal([0L, 2, 4, 4, 1, 3, 4, 4], half.Places);
    }

    [Fact]
    public void A_second_choice_never_takes_the_place_of_a_first()
    {
        // Row 0 wants expert 1 second, row 1 wants it first; one place each.
        var plan = DispatchPlan.Of([0, 1, 1, 0], 2, 2, new ExpertCapacity(0.5, [0, 1]));

        Assert.Equal([0L, 1], plan.Rows);
        Assert.Equal([0L, 2, 1, 2], plan.Places);
    }

    [Fact]
    public void What_is_dropped_adds_nothing()
    {
        var x = Normal([4, 3]);
        var routing = Experts.Route(tensor(new[] { 1.0, 0 }, 1, 2).expand(4, 2), 1);

        var y = Experts.Dispatch(x, routing, (_, rows) => rows, new ExpertCapacity(1, [0, 1, 2, 3]));

        double gate = 1 / (1 + Math.Exp(-1));
        Assert.InRange(Small.Difference(x.narrow(0, 0, 2) * gate, y.narrow(0, 0, 2)), 0, 1e-14);
        Assert.Equal(0.0, y.narrow(0, 2, 2).pow(2).sum().Number());
    }

    private static Tensor Normal(long[] shape) => empty(shape, ScalarType.Float64).normal_();

    private static Tensor Take(Tensor leaf)
    {
        var taken = leaf.grad!.clone();
        leaf.grad = null;
        return taken;
    }
}
