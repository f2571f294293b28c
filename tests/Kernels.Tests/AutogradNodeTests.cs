using Hearth.Kernels;
using Hearth.Kernels.Autograd;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class AutogradNodeTests
{
    [Fact]
    public void A_node_with_two_outputs_gives_the_gradients_of_both()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1.0, 2.0, 3.0]).requires_grad_();
        var y = tensor([4.0, 5.0, 6.0]).requires_grad_();

        var both = ProductAndSum(x, y);
        Differentiation.Backward((both[0] * 2).sum() + both[1].sum());

        Assert.Equal([4.0, 10, 18], both[0].data<double>().ToArray());
        Assert.Equal([9.0, 11, 13], x.grad!.data<double>().ToArray());
        Assert.Equal([3.0, 5, 7], y.grad!.data<double>().ToArray());
    }

    [Fact]
    public void An_output_that_nothing_reads_gives_no_gradient()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1.0, 2.0]).requires_grad_();

        Differentiation.Backward(ProductAndSum(x, tensor([3.0, 4.0]))[0].sum());

        Assert.Equal([3.0, 4], x.grad!.data<double>().ToArray());
    }

    [Fact]
    public void A_failure_inside_a_backward_pass_arrives_with_its_words()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1.0]).requires_grad_();
        var y = AutogradNode.Apply([x], () => new ForwardPass([x * 2], []), (_, _) => throw new InvalidOperationException("no way back"))[0];

        var e = Assert.Throws<KernelException>(() => Differentiation.Backward(y.sum()));

        Assert.Contains("no way back", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Graphs_that_are_used_dropped_or_failed_leave_no_node_alive()
    {
        int before = AutogradNode.AliveCount;
        using (NewDisposeScope())
        {
            var x = ones([8]).requires_grad_();
            for (int i = 0; i < 50; i++)
            {
                using var step = NewDisposeScope();
                var kept = ProductAndSum(x, x * 2);
                if (i % 2 == 0)
                {
                    Differentiation.Backward(kept[0].sum() + kept[1].sum());
                }
            }

            Assert.Throws<InvalidOperationException>(() => AutogradNode.Apply([x], () => throw new InvalidOperationException("no way forward"), (_, _) => []));
        }

        Assert.Equal(before, AutogradNode.AliveCount);
    }

    private static Tensor[] ProductAndSum(Tensor x, Tensor y) => AutogradNode.Apply(
        [x, y],
        () => new ForwardPass([x * y, x + y], [x, y]),
        (saved, grads) =>
        {
            var product = grads[0];
            var sum = grads[1];
            return [Sum(product is null ? null : product * saved[1], sum), Sum(product is null ? null : product * saved[0], sum)];
        });

    private static Tensor? Sum(Tensor? a, Tensor? b) => a is null ? b?.alias() : b is null ? a : a + b;
}
