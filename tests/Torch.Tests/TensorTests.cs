using Hearth.Torch;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class TensorTests
{
    [Fact]
    public void A_product_and_its_gradients_are_those_worked_out_by_hand()
    {
        using var scope = NewDisposeScope();
        var a = tensor([1.0, 2.0, 3.0, 4.0], 2, 2).requires_grad_();
        var b = tensor([5.0, 6.0, 7.0, 8.0], 2, 2).requires_grad_();

        var sum = a.matmul(b).sum();
        sum.backward();

        Assert.Equal(134.0, sum.item<double>());
        Assert.Equal([11.0, 15.0, 11.0, 15.0], a.grad!.ToArray<double>());
        Assert.Equal([4.0, 4.0, 6.0, 6.0], b.grad!.ToArray<double>());
    }

    [Fact]
    public void Whole_scalars_keep_whole_tensors_whole()
    {
        using var scope = NewDisposeScope();

        Assert.Equal(ScalarType.Int64, (tensor([1L, 2L]) + 1).dtype);
        Assert.Equal([2L, 3L], (tensor([1L, 2L]) + 1).ToArray<long>());
        Assert.Equal(ScalarType.Float32, (tensor([1f, 2f]) * 0.5).dtype);
    }

    [Fact]
    public void Views_reductions_and_choices_give_known_values()
    {
        using var scope = NewDisposeScope();
        var x = arange(0, 12, float64).reshape(3, 4);

        Assert.Equal([3L, 4L], x.shape);
        Assert.Equal([4.0, 5, 6, 7], x.select(0, 1).ToArray<double>());
        Assert.Equal([1.0, 2, 5, 6, 9, 10], x.narrow(1, 1, 2).ToArray<double>());
        Assert.Equal([3L, 3L, 3L], x.argmax(1).ToArray<long>());
        Assert.Equal([12.0, 15, 18, 21], x.sum(0).ToArray<double>());
        Assert.Equal([11.0, 10], x.flatten().topk(2).values.ToArray<double>());
        Assert.Equal(Math.Log(4), zeros([1, 4], float64).logsumexp(-1).item<double>(), 12);
        Assert.Equal([0.0, 1, 3], tensor([0.0, 1, 2]).cumsum(0).ToArray<double>());
    }

    [Fact]
    public void No_grad_records_nothing_and_ends_with_its_scope()
    {
        using var scope = NewDisposeScope();
        var w = ones([2]).requires_grad_();
        using (no_grad())
        {
            Assert.False((w * 2).requires_grad);
        }

        Assert.True((w * 2).requires_grad);
    }

    [Fact]
    public void A_stored_generator_state_gives_the_same_numbers_again()
    {
        using var scope = NewDisposeScope();
        manual_seed(7);
        var state = get_rng_state();
        float[] first = empty([5]).normal_().ToArray<float>();
        float[] other = empty([5]).normal_().ToArray<float>();
        set_rng_state(state);

        Assert.Equal(first, empty([5]).normal_().ToArray<float>());
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void A_scope_frees_all_but_what_is_moved_out()
    {
        long before = LiveTensors;
        Tensor kept;
        using (NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                kept = (ones([3]) * 2).MoveToOuterDisposeScope();
            }

            Assert.False(kept.IsInvalid);
            Assert.Equal(before + 1, LiveTensors);
        }

        Assert.True(kept.IsInvalid);
        Assert.Equal(before, LiveTensors);
    }

    [Fact]
    public void Ten_thousand_training_steps_leak_nothing()
    {
        using var outer = NewDisposeScope();
        var w = nn.Parameter(ones([16, 16], float32));
        var x = ones([4, 16]);
        Train(w, x, 100);
        long live = LiveTensors;
        long memory = Environment.WorkingSet;

        Train(w, x, 10_000);

        Assert.Equal(live, LiveTensors);
        Assert.InRange(Environment.WorkingSet - memory, long.MinValue, 64L << 20);
        w.Dispose();
    }

    private static void Train(Tensor w, Tensor x, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            using var scope = NewDisposeScope();
            nn.functional.linear(x, w).tanh().sum().backward();
            using (no_grad())
            {
                w.add_(w.grad!, -1e-4);
            }

            w.grad = null;
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(63, 7)]
    [InlineData(130, 33)]
    public void The_fast_norm_equals_the_naive_one_with_every_gradient(int rows, int width)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var x = empty([rows, width], float64).normal_();
        var w = empty([width], float64).normal_();
        var pull = empty([rows, width], float64).normal_();

        var fast = Gradients(x, w, pull, (a, b) => HearthSeam.RmsNorm(a, b, 1e-6, x.dtype)!);
        var naive = Gradients(x, w, pull, (a, b) => a * (a.pow(2).mean([-1], true) + 1e-6).rsqrt() * b);

        for (int i = 0; i < fast.Length; i++)
        {
            Assert.All(fast[i].Zip(naive[i]), p => Assert.Equal(p.Second, p.First, 9));
        }
    }

    [Fact]
    public void The_fast_AdamW_step_equals_the_formula()
    {
        using var scope = NewDisposeScope();
        var w = tensor([1.0, -2.0, 3.0]);
        var g = tensor([0.1, 0.2, -0.3]);
        var m = zeros([3], float64);
        var v = zeros([3], float64);
        double[] expected = [1.0, -2.0, 3.0];
        double[] em = new double[3], ev = new double[3], gradients = [0.1, 0.2, -0.3];

        for (int t = 1; t <= 3; t++)
        {
            Assert.True(HearthSeam.AdamW([w], [g], [m], [v], new AdamWStep(0.01, 0.9, 0.95, 1e-8, 0.1, t, 0.5)));
            for (int i = 0; i < 3; i++)
            {
                double gi = gradients[i] * 0.5;
                em[i] = (0.9 * em[i]) + (0.1 * gi);
                ev[i] = (0.95 * ev[i]) + (0.05 * gi * gi);
                double step = em[i] / (1 - Math.Pow(0.9, t)) / (Math.Sqrt(ev[i] / (1 - Math.Pow(0.95, t))) + 1e-8);
                expected[i] -= (0.01 * 0.1 * expected[i]) + (0.01 * step);
            }
        }

        Assert.All(w.ToArray<double>().Zip(expected), p => Assert.Equal(p.Second, p.First, 12));
    }

    [Fact]
    public void Attention_looks_only_back()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var q = empty([1, 2, 5, 4], float64).normal_();
        var v = empty([1, 2, 5, 4], float64).normal_();
        double[] before = nn.functional.scaled_dot_product_attention(q, q, v, is_causal: true).ToArray<double>();
        v.select(2, 4).fill_(100);

        double[] after = nn.functional.scaled_dot_product_attention(q, q, v, is_causal: true).ToArray<double>();

        Assert.Equal(before[..16], after[..16]);
        Assert.NotEqual(before[16..20], after[16..20]);
    }

    private static double[][] Gradients(Tensor x, Tensor w, Tensor pull, Func<Tensor, Tensor, Tensor> norm)
    {
        var a = x.detach().clone().requires_grad_();
        var b = w.detach().clone().requires_grad_();
        var y = norm(a, b);
        (y * pull).sum().backward();
        return [y.ToArray<double>(), a.grad!.ToArray<double>(), b.grad!.ToArray<double>()];
    }
}
