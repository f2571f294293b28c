using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class CausalAttentionTests
{
    [Theory]
    [InlineData(1, 9, 8)]
    [InlineData(17, 8, 3)]
    [InlineData(63, 17, 16)]
    [InlineData(64, 4, 4)]
    [InlineData(253, 5, 7)]
    public void Outputs_and_all_gradients_equal_the_masked_softmax(int time, int width, int values)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            Tensor[] inputs =
            [
                KernelCheck.Normal(0, type, 2, 3, time, width), KernelCheck.Normal(1, type, 2, 3, time, width), KernelCheck.Normal(2, type, 2, 3, time, values),
            ];

            // A weight is off by what its score is, of about the width's root; a row sums T weighted values, a gradient T rows.
            KernelCheck.Compare(inputs, x => [FusedKernels.CausalAttention(x[0], x[1], x[2])!], Naive, growth: 64 + (2 * time), acrossThreads: false);
        }
    }

    [Fact]
    public void Heads_that_share_their_keys_by_a_view_are_read_rightly()
    {
        using var scope = NewDisposeScope();
        Tensor[] inputs = [KernelCheck.Normal(0, ScalarType.Float64, 2, 9, 3, 4), KernelCheck.Normal(1, ScalarType.Float64, 2, 1, 9, 4), KernelCheck.Normal(2, ScalarType.Float64, 2, 1, 9, 5)];
        Tensor[] Views(Tensor[] x) => [x[0].transpose(1, 2), x[1].expand(2, 3, 9, 4), x[2].expand(2, 3, 9, 5)];

        KernelCheck.Compare(inputs, x => [FusedKernels.CausalAttention(Views(x)[0], Views(x)[1], Views(x)[2])!], x => Naive(Views(x)), growth: 100, acrossThreads: false);
    }

    [Fact]
    public void Keys_of_another_length_are_refused()
    {
        using var scope = NewDisposeScope();

        var e = Assert.Throws<KernelException>(() => FusedKernels.CausalAttention(ones([1, 2, 3, 4]), ones([1, 2, 5, 4]), ones([1, 2, 3, 4])));

        Assert.Contains("k is [1, 2, 5, 4]", e.Message, StringComparison.Ordinal);
    }

    private static Tensor[] Naive(Tensor[] x)
    {
        long time = x[0].size(2);
        var scores = x[0].matmul(x[1].transpose(-1, -2)) + full([time, time], double.NegativeInfinity, x[0].dtype).triu(1);
        return [scores.softmax(-1).matmul(x[2])];
    }
}
