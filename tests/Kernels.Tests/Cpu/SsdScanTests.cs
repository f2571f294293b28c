using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class SsdScanTests
{
    [Theory]
    [InlineData(1, 8, 16, ScalarType.Float32)]
    [InlineData(17, 16, 5, ScalarType.Float32)]
    [InlineData(63, 32, 16, ScalarType.Float32)]
    [InlineData(253, 64, 19, ScalarType.Float32)]
    [InlineData(1, 64, 3, ScalarType.Float64)]
    [InlineData(17, 8, 16, ScalarType.Float64)]
    [InlineData(63, 16, 1, ScalarType.Float64)]
    [InlineData(253, 32, 7, ScalarType.Float64)]
    public void Outputs_last_state_and_all_gradients_equal_the_recurrence(int time, int width, int states, ScalarType type)
    {
        using var scope = NewDisposeScope();

        // A step multiplies by at most 1 and rounds twice; gradients sum over the state's P·N elements, B's and C's over heads too.
        KernelCheck.Compare(Inputs(time, width, states, type), Kernel, Naive, growth: 4 * (Math.Min(time, 32) + width + states));
    }

    [Fact]
    public void The_state_alone_and_the_outputs_alone_give_gradients_too()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(17, 8, 5, ScalarType.Float64);

        KernelCheck.Compare(inputs, x => [Kernel(x)[0]], x => [Naive(x)[0]], growth: 100);
        Tensor[] withoutC = [.. inputs[..3], inputs[4]];
        KernelCheck.Compare(
            withoutC,
            x => [Kernel([.. x[..3], inputs[3], x[3]])[1]],
            x => [Naive([.. x[..3], inputs[3], x[3]])[1]],
            growth: 100);
    }

    [Fact]
    public void Inputs_that_are_views_are_read_rightly()
    {
        using var scope = NewDisposeScope();
        KernelCheck.Compare(
            [.. Inputs(19, 16, 5, ScalarType.Float64).Select(i => i.transpose(0, 1).contiguous())],
            x => Kernel([.. x.Select(i => i.transpose(0, 1))]),
            x => Naive([.. x.Select(i => i.transpose(0, 1))]),
            growth: 200);
    }

    [Fact]
    public void A_decay_of_another_type_is_refused()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(3, 8, 4, ScalarType.Float32);
        inputs[1] = inputs[1].to(ScalarType.Float64);

        var e = Assert.Throws<KernelException>(() => Kernel(inputs));

        Assert.Contains("logA is [2, 3, 3] Float64", e.Message, StringComparison.Ordinal);
    }

    private static Tensor[] Inputs(long time, long width, long states, ScalarType type)
    {
        const long batch = 2, heads = 3;
        return
        [
            KernelCheck.Normal(0, type, batch, time, heads, width), -KernelCheck.Normal(1, type, batch, time, heads).abs() * 0.3,
            KernelCheck.Normal(2, type, batch, time, states), KernelCheck.Normal(3, type, batch, time, states),
            KernelCheck.Normal(4, type, batch, heads, width, states),
        ];
    }

    private static Tensor[] Kernel(Tensor[] x)
    {
        var (y, state) = FusedKernels.SsdScan(x[0], x[1], x[2], x[3], x[4])!.Value;
        return [y, state];
    }

    private static Tensor[] Naive(Tensor[] x)
    {
        var state = x[4];
        var outputs = new List<Tensor>();
        for (long t = 0; t < x[0].size(1); t++)
        {
            var decay = x[1].select(1, t).exp().unsqueeze(-1).unsqueeze(-1);
            state = (decay * state) + (x[0].select(1, t).unsqueeze(-1) * x[2].select(1, t).unsqueeze(1).unsqueeze(1));
            outputs.Add((state * x[3].select(1, t).unsqueeze(1).unsqueeze(1)).sum([-1]));
        }

        return [stack(outputs, 1), state];
    }
}
