using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class AdamWTests
{
    private static readonly AdamWStep Rule = new(Lr: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, Step: 1, Scale: 0.5);

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Steps_equal_the_definition_in_every_element(ScalarType type)
    {
        using var scope = NewDisposeScope();
        foreach (long count in new long[] { 1, 7, 63, 40_003 })
        {
            var (a, b) = (new Parameters(count, type), new Parameters(count, ScalarType.Float64));
            for (int step = 1; step <= 4; step++)
            {
                var grad = KernelCheck.Normal(step, type, count);
                Assert.True(FusedKernels.AdamW([a.Weight], [grad], [a.First], [a.Second], Rule with { Step = step }));
                Naive(b, grad.to(ScalarType.Float64), Rule with { Step = step });
            }

            // A step has a dozen roundings of numbers of the size of their results.
            double allowed = 4 * 12 * KernelCheck.Roundoff(type);
            Assert.InRange(Difference(a.Weight, b.Weight), 0, allowed);
            Assert.InRange(Difference(a.First, b.First), 0, allowed);
            Assert.InRange(Difference(a.Second, b.Second), 0, allowed);
        }
    }

    [Fact]
    public void The_bits_do_not_depend_on_the_number_of_threads()
    {
        using var scope = NewDisposeScope();
        int threads = get_num_threads();
        try
        {
            float[][] bits = [.. new[] { 1, 2, 1 }.Select(count =>
            {
                set_num_threads(count);
                var p = new Parameters(40_003, ScalarType.Float32);
                FusedKernels.AdamW([p.Weight], [KernelCheck.Normal(1, ScalarType.Float32, 40_003)], [p.First], [p.Second], Rule);
                return p.Weight.data<float>().ToArray();
            })];

            Assert.Equal(bits[0], bits[1]);
            Assert.Equal(bits[0], bits[2]);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void A_moment_of_another_size_or_layout_is_refused_before_anything_changes()
    {
        using var scope = NewDisposeScope();
        var p = new Parameters(6, ScalarType.Float32);
        var grad = ones([6]);

        var size = Assert.Throws<KernelException>(() => FusedKernels.AdamW([p.Weight], [grad], [zeros([5])], [p.Second], Rule));
        var layout = Assert.Throws<KernelException>(() => FusedKernels.AdamW([p.Weight], [grad], [p.First], [zeros([6, 2]).select(1, 0)], Rule));
        var lists = Assert.Throws<KernelException>(() => FusedKernels.AdamW([p.Weight], [], [p.First], [p.Second], Rule));

        Assert.Contains("first[0] has 5 elements", size.Message, StringComparison.Ordinal);
        Assert.Contains("second[0] has 6 elements of Float32, not contiguous", layout.Message, StringComparison.Ordinal);
        Assert.Contains("grads holds 0 tensors", lists.Message, StringComparison.Ordinal);
        Assert.Equal(new Parameters(6, ScalarType.Float32).Weight.data<float>().ToArray(), p.Weight.data<float>().ToArray());
    }

    private static void Naive(Parameters p, Tensor grad, AdamWStep step)
    {
        grad = grad * step.Scale;
        p.First.mul_(step.Beta1).add_(grad, 1 - step.Beta1);
        p.Second.mul_(step.Beta2).addcmul_(grad, grad, 1 - step.Beta2);
        var m = p.First / (1 - Math.Pow(step.Beta1, step.Step));
        var v = p.Second / (1 - Math.Pow(step.Beta2, step.Step));
        p.Weight.mul_(1 - (step.Lr * step.WeightDecay)).addcdiv_(m, v.sqrt() + step.Eps, -step.Lr);
    }

    private static double Difference(Tensor a, Tensor b) =>
        ((a.to(ScalarType.Float64) - b) / (b.abs() + 1)).abs().max().item<double>();

    private sealed class Parameters(long count, ScalarType type)
    {
        internal Tensor Weight { get; } = KernelCheck.Normal(9, type, count);

        internal Tensor First { get; } = zeros([count], type);

        internal Tensor Second { get; } = zeros([count], type);
    }
}
