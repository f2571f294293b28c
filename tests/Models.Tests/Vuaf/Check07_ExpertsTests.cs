using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

public sealed class Check07_ExpertsTests : IDisposable
{
    private const int Width = 16, Count = 4;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();
    private readonly Dictionary<string, Tensor> _weights;
    private readonly FeedForward _mixture;
    private readonly Tensor _x_BTD;

    public Check07_ExpertsTests()
    {
        var config = new VuafMoeConfig(Width, 24, Count, 1);
        _weights = VuafSmall.Drawn(w => config.Build(w));
        _mixture = config.Build(Weights.Of(name => _weights[name]));
        _x_BTD = empty([1, 9, Width], float64).normal_();
    }

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_7_permuted_tokens_give_permuted_outputs()
    {
        var order = tensor(new long[] { 4, 0, 8, 2, 1, 3, 7, 6, 5 });

        var permuted = _mixture.Forward(_x_BTD.index_select(1, order), VuafSmall.Context);

        Assert.InRange(Small.Difference(_mixture.Forward(_x_BTD, VuafSmall.Context).index_select(1, order), permuted), 0, 1e-12);
    }

    [Fact]
    public void Check_7_a_token_gets_its_likeliest_experts_output_times_the_probability()
    {
        var got = _mixture.Forward(_x_BTD, VuafSmall.Context).view(-1, Width);
        double[][] p = Probabilities();
        for (int n = 0; n < p.Length; n++)
        {
            int best = Array.IndexOf(p[n], p[n].Max());
            var expert = new VuafSwiGlu(new VuafSwiGluConfig(Width, 24), Weights.Of(name => _weights[name], $"experts.{best}"));
            var alone = expert.Forward(_x_BTD.view(-1, Width).narrow(0, n, 1), VuafSmall.Context) * p[n][best];

            Assert.InRange(Small.Difference(alone, got.narrow(0, n, 1)), 0, 1e-12);
        }
    }

    [Fact]
    public void Check_7_the_balance_loss_is_its_formula_over_shares_that_sum_to_one()
    {
        double[][] p = Probabilities();
        double[] shares = [.. Enumerable.Range(0, Count).Select(e => p.Count(row => Array.IndexOf(row, row.Max()) == e) / (double)p.Length)];
        double expected = Count * Enumerable.Range(0, Count).Sum(e => shares[e] * p.Average(row => row[e]));
        var f_E = Experts.Shares(Experts.Route(nn.functional.linear(_x_BTD.view(-1, Width), _weights["router.weight"]), 1));

        Assert.True(shares.Count(f => f > 0) > 1);
        Assert.Equal(1, f_E.sum().Number(), 1e-14);
        Assert.All(shares.Zip(f_E.HostArray<double>()), pair => Assert.Equal(pair.First, pair.Second, 1e-14));
        Assert.Equal(expected, Balance(), 1e-12);
    }

    [Fact]
    public void Check_7_an_even_router_has_a_balance_loss_of_one()
    {
        _weights["router.weight"].zero_();

        Assert.Equal(1, Balance(), 1e-12);
    }

    private double Balance()
    {
        var balance = new List<Tensor>();
        _mixture.Forward(_x_BTD, VuafSmall.Context with { Balance = balance });
        return Assert.Single(balance).Number();
    }

    private double[][] Probabilities() => [.. nn.functional.linear(_x_BTD.view(-1, Width), _weights["router.weight"]).softmax(-1).HostArray<double>().Chunk(Count)];
}
