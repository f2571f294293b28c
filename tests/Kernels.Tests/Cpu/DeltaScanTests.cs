using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class DeltaScanTests
{
    [Theory]
    [InlineData(1, 8, ScalarType.Float32)]
    [InlineData(17, 16, ScalarType.Float32)]
    [InlineData(63, 32, ScalarType.Float32)]
    [InlineData(253, 64, ScalarType.Float32)]
    [InlineData(16, 32, ScalarType.Float32)]
    [InlineData(1, 64, ScalarType.Float64)]
    [InlineData(17, 8, ScalarType.Float64)]
    [InlineData(63, 16, ScalarType.Float64)]
    [InlineData(253, 32, ScalarType.Float64)]
    public void Outputs_last_state_and_all_gradients_equal_the_recurrence(int time, int width, ScalarType type)
    {
        using var scope = NewDisposeScope();

        // A removal row of length 1 on both sides and a decay of e^-0.3 at most: states neither grow nor die out.
        var inputs = Inputs(time, width, type);

        // Each step multiplies what is there by at most 1 and adds 3 rounded terms; a row's sums have N terms, and gradients pass back
        // through the states that carry those errors.
        KernelCheck.Compare(inputs, Kernel, Naive, growth: 4 * (Math.Min(time, 32) + width));
    }

    [Fact]
    public void The_state_alone_and_the_outputs_alone_give_gradients_too()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(17, 8, ScalarType.Float64);

        KernelCheck.Compare(inputs, x => [Kernel(x)[0]], x => [Naive(x)[0]], growth: 100);
        KernelCheck.Compare(inputs[1..], x => [Kernel([inputs[0], .. x])[1]], x => [Naive([inputs[0].to(ScalarType.Float64), .. x])[1]], growth: 100);
    }

    [Fact]
    public void Inputs_that_are_views_and_decays_as_low_as_a_hundred_are_read_rightly()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(19, 8, ScalarType.Float64);
        inputs[5] = full(inputs[5].shape, -100.0, ScalarType.Float64);

        KernelCheck.Compare(
            [.. inputs.Select(i => i.transpose(0, 1).contiguous())],
            x => Kernel([.. x.Select(i => i.transpose(0, 1))]),
            x => Naive([.. x.Select(i => i.transpose(0, 1))]),
            growth: 100);
    }

    [Fact]
    public void Without_a_graph_the_bits_are_the_same_and_nothing_is_kept()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(33, 32, ScalarType.Float32);
        var plain = Kernel(inputs);
        var leaf = inputs[0].clone().requires_grad_();

        var kept = Kernel([leaf, .. inputs[1..]]);

        Assert.False(plain[0].requires_grad);
        Assert.Equal(plain[0].data<float>().ToArray(), kept[0].detach().data<float>().ToArray());
        Assert.Equal(plain[1].data<float>().ToArray(), kept[1].detach().data<float>().ToArray());
    }

    [Fact]
    public void A_key_of_another_shape_is_refused_with_both_shapes()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(3, 8, ScalarType.Float32);
        inputs[1] = inputs[1].narrow(1, 0, 2);

        var e = Assert.Throws<KernelException>(() => Kernel(inputs));

        Assert.Contains("k is [2, 2, 3, 8]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[2, 3, 3, 8]", e.Message, StringComparison.Ordinal);
    }

    private static Tensor[] Inputs(long time, long width, ScalarType type)
    {
        const long batch = 2, heads = 3;
        Tensor Rows(int seed) => KernelCheck.Normal(seed, type, batch, time, heads, width);
        var removed = nn.functional.normalize(Rows(3), p: 2, dim: -1);
        return
        [
            Rows(0), Rows(1) / Math.Sqrt(width), Rows(2), removed, removed * -0.5, -Rows(5).abs() * 0.3,
            KernelCheck.Normal(6, type, batch, heads, width, width),
        ];
    }

    private static Tensor[] Kernel(Tensor[] x)
    {
        var (y, state) = FusedKernels.DeltaScan(x[0], x[1], x[2], x[3], x[4], x[5], x[6])!.Value;
        return [y, state];
    }

    private static Tensor[] Naive(Tensor[] x)
    {
        var state = x[6];
        var outputs = new List<Tensor>();
        for (long t = 0; t < x[0].size(1); t++)
        {
            Tensor Column(int input) => x[input].select(1, t).unsqueeze(-1);
            var pulled = (state * Column(3)).sum([-2], keepdim: true);
            state = (Column(5).exp() * state) + (Column(4) * pulled) + (Column(1) * Column(2).transpose(-1, -2));
            outputs.Add((state * Column(0)).sum([-2]));
        }

        return [stack(outputs, 1), state];
    }
}
