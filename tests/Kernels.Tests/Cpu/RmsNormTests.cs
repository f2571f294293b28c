using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class RmsNormTests
{
    [Theory]
    [InlineData(1, 2)]
    [InlineData(17, 3)]
    [InlineData(63, 33)]
    [InlineData(253, 66)]
    [InlineData(129, 256)]
    public void Outputs_and_both_gradients_equal_the_definition(int rows, int width)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            Tensor[] inputs = [KernelCheck.Normal(0, type, rows, width), KernelCheck.Normal(1, type, width)];

            // Everything is summed in fp64 and rounded once; a row's kept factor is rounded too, cubed in the gradient. In fp64 a sum's
            // roundings grow with its terms.
            double growth = type == ScalarType.Float32 ? 8 : 8 + width + rows;
            KernelCheck.Compare(inputs, x => [Kernel(x[0], x[1])], x => [Naive(x[0], x[1])], growth);
        }
    }

    [Fact]
    public void A_view_and_a_row_of_zeros_are_normed()
    {
        using var scope = NewDisposeScope();
        var x = KernelCheck.Normal(0, ScalarType.Float64, 5, 4, 7);
        x.select(1, 2).zero_();

        KernelCheck.Compare(
            [x, KernelCheck.Normal(1, ScalarType.Float64, 7)],
            i => [Kernel(i[0].transpose(0, 1), i[1])],
            i => [Naive(i[0].transpose(0, 1), i[1])],
            growth: 100);
    }

    [Fact]
    public void No_rows_give_no_rows_and_a_gradient_of_zeros()
    {
        using var scope = NewDisposeScope();
        var weight = ones([4]).requires_grad_();

        var y = Kernel(empty([0, 4]), weight);
        Differentiation.Backward(y.sum());

        Assert.Equal([0, 4], y.shape);
        Assert.Equal([0f, 0, 0, 0], weight.grad!.data<float>().ToArray());
    }

    [Fact]
    public void A_weight_of_another_width_is_refused()
    {
        using var scope = NewDisposeScope();

        var e = Assert.Throws<KernelException>(() => Kernel(ones([2, 4]), ones([3])));

        Assert.Contains("weight is [3] Float32. Allowed: [4] Float32.", e.Message, StringComparison.Ordinal);
    }

    private static Tensor Kernel(Tensor x_RD, Tensor weight_D) => FusedKernels.RmsNorm(x_RD, weight_D, 1e-6, x_RD.dtype)!;

    private static Tensor Naive(Tensor x_RD, Tensor weight_D) => x_RD * (x_RD.pow(2).mean([-1], true) + 1e-6).rsqrt() * weight_D;
}
