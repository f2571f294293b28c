using Hearth.Kernels;
using Hearth.Models;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>The sliced head and cross entropy against its plain twin.</summary>
public sealed class HeadLossTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(HeadLoss.SliceRows)]
    [InlineData((2 * HeadLoss.SliceRows) + 77)]
    public void Slices_give_the_value_and_gradients_of_all_logits_at_once(int rows)
    {
        var (x, labels, head) = Inputs(rows, ScalarType.Float64);
        var second = x.detach().narrow(0, 0, (rows + 1) / 2).clone().requires_grad_();
        var some = labels.narrow(0, 0, (rows + 1) / 2);
        var naive = (HeadLoss.Naive(x, labels, head, ScalarType.Float64) * 0.01) + (HeadLoss.Naive(second, some, head, ScalarType.Float64) * 0.5);
        naive.backward();
        var (dx, dsecond, dhead) = (Take(x), Take(second), Take(head));

        var loss = new HeadLoss(head, ScalarType.Float64);
        var sum = loss.Add(x, labels, 0.01);
        loss.Add(second, some, 0.5);
        var total = loss.Total();
        total.backward();

        Assert.Equal(naive.Number(), total.Number(), 1e-9);
        Assert.Equal(HeadLoss.Naive(x, labels, head, ScalarType.Float64).Number(), sum.Number(), 1e-8);
        Assert.False(sum.requires_grad);
        Assert.InRange(Small.Difference(dx, x.grad!), 0, 1e-12);
        Assert.InRange(Small.Difference(dsecond, second.grad!), 0, 1e-12);
        Assert.InRange(Small.Difference(dhead, head.grad!), 0, 1e-11);
    }

    [Fact]
    public void Slices_under_a_softcap_give_the_value_and_gradients_of_all_bent_logits_at_once()
    {
        // Logits of standard deviation 3.5 under a cap of 2: most are bent hard.
        var (x, labels, head) = Inputs(HeadLoss.SliceRows + 77, ScalarType.Float64);
        var naive = HeadLoss.Naive(x, labels, head, ScalarType.Float64, softcap: 2) * 0.01;
        naive.backward();
        var (dx, dhead) = (Take(x), Take(head));

        var loss = new HeadLoss(head, ScalarType.Float64, softcap: 2);
        loss.Add(x, labels, 0.01);
        loss.Total().backward();

        Assert.Equal(naive.Number(), loss.Total().Number(), 1e-9);
        Assert.InRange(Small.Difference(dx, x.grad!), 0, 1e-12);
        Assert.InRange(Small.Difference(dhead, head.grad!), 0, 1e-11);
    }

    [Fact]
    public void Narrow_products_give_gradients_near_the_full_ones()
    {
        var (x, labels, head) = Inputs(700, ScalarType.Float32);
        HeadLoss.Naive(x, labels, head, ScalarType.Float32).backward();
        var (dx, dhead) = (Take(x), Take(head));

        var loss = new HeadLoss(head, ScalarType.BFloat16);
        loss.Add(x, labels, 1);
        loss.Total().backward();

        Assert.InRange(Relative(x.grad!, dx), 0, 0.02);
        Assert.InRange(Relative(head.grad!, dhead), 0, 0.02);
    }

    [Fact]
    public void Without_gradients_there_is_a_value_and_no_graph()
    {
        var (x, labels, head) = Inputs(600, ScalarType.Float64);
        double expected = HeadLoss.Naive(x, labels, head, ScalarType.Float64).Number();
        using var quiet = no_grad();
        var loss = new HeadLoss(head, ScalarType.Float64);
        loss.Add(x, labels, 2);

        Assert.Equal(2 * expected, loss.Total().Number(), 1e-8);
        Assert.False(loss.Total().requires_grad);
    }

    [Fact]
    public void Nothing_outlives_the_scope()
    {
        var (x, labels, head) = Inputs(600, ScalarType.Float64);
        long before = LiveTensors.Settled();
        using (NewDisposeScope())
        {
            var loss = new HeadLoss(head, ScalarType.Float64);
            loss.Add(x, labels, 1);
            loss.Total();
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    private static (Tensor X, Tensor Labels, Tensor Head) Inputs(int rows, ScalarType dtype)
    {
        manual_seed(3);
        long[] labels = Small.Draw(rows, 31, 5);
        for (int i = 0; i < rows; i += 7)
        {
            labels[i] = i == 0 ? labels[i] : -100;
        }

        return (
            empty([rows, 12], dtype).normal_().requires_grad_(),
            tensor(labels),
            empty([31, 12], dtype).normal_().requires_grad_());
    }

    private static Tensor Take(Tensor leaf)
    {
        var taken = leaf.grad!.clone();
        leaf.grad = null;
        return taken;
    }

    private static double Relative(Tensor a, Tensor b) => Math.Sqrt((a - b).pow(2).sum().Number() / b.pow(2).sum().Number());
}
