using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class CausalConvTests
{
    [Theory]
    [InlineData(1, 3, 1)]
    [InlineData(2, 8, 5)]
    [InlineData(17, 19, 3)]
    [InlineData(63, 37, 4)]
    [InlineData(253, 33, 5)]
    public void Outputs_and_both_gradients_equal_shifted_products(int time, int channels, int taps)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            Tensor[] inputs = [KernelCheck.Normal(0, type, 3, time + taps - 1, channels), KernelCheck.Normal(1, type, channels, taps)];

            // A sum of J products; the taps' gradient sums T·B of them, whose largest stands √(T·B) above one product.
            KernelCheck.Compare(inputs, x => [FusedKernels.CausalConv(x[0], x[1])!], Naive, growth: (2 * taps) + time);
        }
    }

    [Fact]
    public void Views_are_read_rightly()
    {
        using var scope = NewDisposeScope();
        KernelCheck.Compare(
            [KernelCheck.Normal(0, ScalarType.Float64, 9, 2, 21), KernelCheck.Normal(1, ScalarType.Float64, 3, 7)],
            x => [FusedKernels.CausalConv(x[0].transpose(0, 1).narrow(2, 5, 7), x[1].t())!],
            x => Naive([x[0].transpose(0, 1).narrow(2, 5, 7), x[1].t()]),
            growth: 20);
    }

    [Fact]
    public void Fewer_rows_than_taps_are_refused()
    {
        using var scope = NewDisposeScope();

        var e = Assert.Throws<KernelException>(() => FusedKernels.CausalConv(ones([1, 2, 4]), ones([4, 3])));

        Assert.Contains("x has 2 rows for 3 taps", e.Message, StringComparison.Ordinal);
    }

    private static Tensor[] Naive(Tensor[] x)
    {
        long taps = x[1].size(1), time = x[0].size(1) - taps + 1;
        var products = Enumerable.Range(0, (int)taps).Select(j => x[0].narrow(1, taps - 1 - j, time) * x[1].select(1, j));
        return [products.Aggregate((sum, product) => sum + product)];
    }
}
