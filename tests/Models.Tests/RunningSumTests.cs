using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class RunningSumTests
{
    [Fact]
    public void Sums_by_rounds_equal_sums_one_by_one_with_their_gradients()
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        foreach (long steps in new[] { 1L, 2, 13, 64 })
        {
            var one = randn([2, 3, steps, 5], float64).requires_grad_();
            var other = one.detach().clone().requires_grad_();
            var weights = randn([2, 3, steps, 5], float64);

            var (rounds, expected) = (RunningSum.ByRounds(one, 2), other.cumsum(2));
            (rounds * weights).sum().backward();
            (expected * weights).sum().backward();

            Assert.True((rounds - expected).abs().max().item<double>() < 1e-12);
            Assert.True((one.grad! - other.grad!).abs().max().item<double>() < 1e-12);
        }
    }
}
