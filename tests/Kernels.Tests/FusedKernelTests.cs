using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class FusedKernelTests
{
    [Fact]
    public void The_fast_AdamW_step_equals_the_formula()
    {
        using var scope = NewDisposeScope();
        var w = tensor([1.0, -2.0, 3.0]);
        var g = tensor([0.1, 0.2, -0.3]);
        var m = zeros([3], float64);
        var v = zeros([3], float64);
        double[] expected = [1.0, -2.0, 3.0];
        double[] em = new double[3], ev = new double[3], gradients = [0.1, 0.2, -0.3];

        for (int t = 1; t <= 3; t++)
        {
            Assert.True(FusedKernels.AdamW([w], [g], [m], [v], new AdamWStep(0.01, 0.9, 0.95, 1e-8, 0.1, t, 0.5)));
            for (int i = 0; i < 3; i++)
            {
                double gi = gradients[i] * 0.5;
                em[i] = (0.9 * em[i]) + (0.1 * gi);
                ev[i] = (0.95 * ev[i]) + (0.05 * gi * gi);
                double step = em[i] / (1 - Math.Pow(0.9, t)) / (Math.Sqrt(ev[i] / (1 - Math.Pow(0.95, t))) + 1e-8);
                expected[i] -= (0.01 * 0.1 * expected[i]) + (0.01 * step);
            }
        }

        Assert.All(w.HostArray<double>().Zip(expected), p => Assert.Equal(p.Second, p.First, 12));
    }

    [Fact]
    public void Attention_looks_only_back()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var q = empty([1, 2, 5, 4], float64).normal_();
        var v = empty([1, 2, 5, 4], float64).normal_();
        double[] before = Attention.Of(q, q, v, causal: true).HostArray<double>();
        v.select(2, 4).fill_(100);

        double[] after = Attention.Of(q, q, v, causal: true).HostArray<double>();

        Assert.Equal(before[..16], after[..16]);
        Assert.NotEqual(before[16..20], after[16..20]);
    }
}
