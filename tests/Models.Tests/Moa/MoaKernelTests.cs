using Hearth.Models.Moa;
using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Kernels of our own against their naive twins: outputs and every gradient.</summary>
public sealed class MoaKernelTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1, 1, 3, 5)]
    [InlineData(3, 77, 10, 5)]
    [InlineData(2, 9, 7, 1)]
    public void A_causal_convolution_equals_its_taps_one_by_one(int batch, int time, int channels, int taps) => Same(
        [MoaSmall.Random(1, batch, time + taps - 1, channels), MoaSmall.Random(2, channels, taps)],
        x => CausalConv.Naive(x[0], x[1]),
        x => FusedKernels.CausalConv(x[0], x[1])!);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(63, 3)]
    [InlineData(130, 1)]
    public void A_rotation_equals_its_parts_put_together(int time, int angleHeads) => Same(
        [MoaSmall.Random(1, 2, time, 3, 10), MoaSmall.Random(2, angleHeads, time, 5), MoaSmall.Random(3, angleHeads, time, 5)],
        x => BlackHoleRope.Naive(x[0].transpose(1, 2), (x[1], x[2])),
        x => FusedKernels.Rotate(x[0].transpose(1, 2), x[1], x[2])!);

    private static void Same(Tensor[] inputs, Func<Tensor[], Tensor> naive, Func<Tensor[], Tensor> kernel)
    {
        var (expected, expectedGradients) = Run(inputs, naive);
        var (value, gradients) = Run(inputs, kernel);
        MoaSmall.Near(expected, value, 1e-12);
        Assert.All(expectedGradients.Zip(gradients), g => MoaSmall.Near(g.First, g.Second, 1e-11));
        using var quiet = no_grad();
        MoaSmall.Near(expected, kernel(inputs), 1e-12);
    }

    private static (Tensor Value, Tensor[] Gradients) Run(Tensor[] inputs, Func<Tensor[], Tensor> function)
    {
        Tensor[] leaves = [.. inputs.Select(x => x.detach().clone().requires_grad_())];
        var value = function(leaves);
        (value * MoaSmall.Random(9, value.shape)).sum().backward();
        return (value.detach(), [.. leaves.Select(leaf => leaf.grad!)]);
    }
}
