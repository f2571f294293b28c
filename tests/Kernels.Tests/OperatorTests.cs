using Hearth.Kernels;
using Hearth.Kernels.Door;
using Hearth.Kernels.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class OperatorTests
{
    [Fact]
    public void Attention_with_a_scale_and_grouped_heads_goes_through_the_door_with_its_gradients()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var q = randn([2, 4, 5, 8], float64).requires_grad_();
        var k = randn([2, 2, 5, 8], float64).requires_grad_();

        var y = new Operator("aten::scaled_dot_product_attention").One(q, k, k, Slot.None, 0.0, true, Slot.Some(0.3), true);
        y.sum().backward();

        var wide = k.detach().repeat_interleave(2, 1);
        var scores = q.detach().matmul(wide.transpose(-2, -1)) * 0.3 + full([5, 5], double.NegativeInfinity, float64).triu(1);
        Assert.True((scores.softmax(-1).matmul(wide) - y.detach()).abs().max().item<double>() < 1e-12);
        Assert.True(k.grad!.isfinite().all().item<bool>());
    }

    [Fact]
    public void An_unknown_operator_is_an_error_that_names_it()
    {
        var e = Assert.Throws<KernelException>(() => new Operator("aten::no_such_thing").One(1L));

        Assert.Contains("aten::no_such_thing", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parallel_loop_covers_every_index_once()
    {
        int[] seen = new int[10_007];

        Threads.For(seen.Length, 16, (begin, end) =>
        {
            for (long i = begin; i < end; i++)
            {
                Interlocked.Increment(ref seen[i]);
            }
        });

        Assert.All(seen, count => Assert.Equal(1, count));
        Assert.Throws<KernelException>(() => Threads.For(100, 1, (_, _) => throw new InvalidOperationException("part")));
    }

    [Fact]
    public void Strict_determinism_is_set_and_taken_back()
    {
        Determinism.Set(strict: true);
        Assert.True(Determinism.IsStrict);
        Determinism.Set(strict: false);
        Assert.False(Determinism.IsStrict);
    }
}
