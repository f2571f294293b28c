using Hearth.Kernels;
using Hearth.Models;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public class KeyedDropoutTests
{
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void It_drops_the_share_that_is_asked_and_keeps_the_mean(double share)
    {
        const int count = 1 << 18;
        double[] dropped = Drop(new TrainingStep(3, 7, 10, 1, 0), 0, ones([8, count / 8], float64), share).HostArray<double>();

        // Six standard deviations of a share of so many independent draws.
        double found = dropped.Count(v => v == 0) / (double)count;
        Assert.InRange(Math.Abs(found - share), 0, 6 * Math.Sqrt(share * (1 - share) / count));
        Assert.All(dropped.Where(v => v != 0), v => Assert.Equal(1 / (1 - share), v));
    }

    [Fact]
    public void What_is_dropped_does_not_hang_on_how_a_batch_is_cut()
    {
        var x = ones([6, 40], float64);
        var whole = Drop(new TrainingStep(3, 7, 10, 1, 0), 2, x, 0.4);

        foreach (long first in new long[] { 0, 2, 4 })
        {
            Assert.Equal(0, Small.Difference(whole.narrow(0, first, 2), Drop(new TrainingStep(3, 7, 10, 1, first), 2, x.narrow(0, first, 2), 0.4)));
        }
    }

    [Fact]
    public void Steps_seeds_blocks_and_draws_drop_others_as_often_as_chance_does()
    {
        var x = ones([4, 4096], float64);
        var at = new TrainingStep(3, 7, 10, 1, 0);
        var twice = new KeyedDropout(KeyedDropout.Key(at, CPU), 1);
        bool[][] stays =
        [
            Stays(twice.Apply(x, 0.5)), Stays(twice.Apply(x, 0.5)), Stays(Drop(at, 2, x, 0.5)),
            Stays(Drop(at with { Step = 8 }, 1, x, 0.5)), Stays(Drop(at with { Seed = 4 }, 1, x, 0.5)),
        ];

        foreach (var (i, j) in from i in Enumerable.Range(0, stays.Length) from j in Enumerable.Range(0, i) select (i, j))
        {
            double alike = stays[i].Zip(stays[j], (a, b) => a == b ? 1.0 : 0).Average();
            Assert.InRange(alike, 0.5 - (6 * 0.5 / 128), 0.5 + (6 * 0.5 / 128));
        }
    }

    [Fact]
    public void The_gradient_passes_where_the_value_does()
    {
        var x = ones([4, 64], float64).requires_grad_();
        var y = Drop(new TrainingStep(3, 7, 10, 1, 0), 0, x, 0.25);
        y.sum().backward();

        Assert.Equal(0, Small.Difference(y.detach(), x.grad!));
    }

    private static Tensor Drop(TrainingStep at, int block, Tensor x, double share) => new KeyedDropout(KeyedDropout.Key(at, CPU), block).Apply(x, share);

    private static bool[] Stays(Tensor dropped) => [.. dropped.HostArray<double>().Select(v => v != 0)];
}
