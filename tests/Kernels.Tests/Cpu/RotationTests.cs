using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class RotationTests
{
    [Theory]
    [InlineData(1, 2, 1)]
    [InlineData(17, 6, 3)]
    [InlineData(63, 34, 1)]
    [InlineData(253, 22, 3)]
    public void Outputs_and_all_gradients_equal_the_definition(int time, int width, int sets)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            // Two products and a sum each; an angle's gradient sums them over batch and heads.
            KernelCheck.Compare(Inputs(time, width, sets, type), x => [FusedKernels.Rotate(x[0], x[1], x[2])!], Naive, growth: 16);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Heads_that_lie_between_positions_and_rows_with_gaps_are_read_where_they_lie(bool gaps)
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [KernelCheck.Normal(0, ScalarType.Float64, 2, 9, 3, gaps ? 24 : 12), .. Inputs(9, 12, 3, ScalarType.Float64)[1..]];
        Tensor View(Tensor x) => gaps ? x.transpose(1, 2).slice(-1, 0, 24, 2) : x.transpose(1, 2);

        KernelCheck.Compare(inputs, x => [FusedKernels.Rotate(View(x[0]), x[1], x[2])!], x => Naive([View(x[0]), x[1], x[2]]), growth: 16);
    }

    [Fact]
    public void Angles_of_another_number_of_heads_are_refused()
    {
        using var scope = NewDisposeScope();

        var e = Assert.Throws<KernelException>(() => FusedKernels.Rotate(ones([1, 3, 4, 6]), ones([2, 4, 3]), ones([2, 4, 3])));

        Assert.Contains("cos is [2, 4, 3] Float32. Allowed: [3, 4, 3] Float32.", e.Message, StringComparison.Ordinal);
    }

    private static Tensor[] Inputs(long time, long width, long sets, ScalarType type) =>
    [
        KernelCheck.Normal(0, type, 2, 3, time, width), KernelCheck.Normal(1, type, sets, time, width / 2), KernelCheck.Normal(2, type, sets, time, width / 2),
    ];

    private static Tensor[] Naive(Tensor[] x)
    {
        long half = x[0].size(-1) / 2;
        Tensor a = x[0].narrow(-1, 0, half), b = x[0].narrow(-1, half, half);
        return [cat([(a * x[1]) - (b * x[2]), (a * x[2]) + (b * x[1])], -1)];
    }
}
