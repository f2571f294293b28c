using Hearth.Kernels;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class LeakTests
{
    [Fact]
    public void Ten_thousand_training_steps_leak_nothing()
    {
        using var outer = NewDisposeScope();
        var w = ones([16, 16]).requires_grad_().DetachFromDisposeScope();
        var x = ones([4, 16]);
        Train(w, x, 100);
        long live = LiveTensors.Settled();
        long memory = Environment.WorkingSet;

        Train(w, x, 10_000);

        Assert.Equal(live, Tensor.TotalCount);
        Assert.InRange(Environment.WorkingSet - memory, long.MinValue, 64L << 20);
        w.Dispose();
    }

    private static void Train(Tensor w, Tensor x, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            using var scope = NewDisposeScope();
            Differentiation.Backward(nn.functional.linear(x, w).tanh().sum());
            using (no_grad())
            {
                w.add_(w.grad!, -1e-4);
            }

            w.grad = null;
        }
    }
}
