using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

public sealed class Check05_TernaryTests : IDisposable
{
    private const double Eps = 1e-6;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public Check05_TernaryTests() => manual_seed(11);

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Check_5_the_forward_sees_minus_gamma_zero_and_gamma_alone(ScalarType dtype)
    {
        var weight = nn.Parameter(empty([12, 16], dtype).normal_());
        double gamma = weight.abs().mean().Number();

        // A one-hot input of width 16 is normed to length 4, so the output is four times a column.
        var hot = full([16, 16], 1, dtype).tril().triu();
        double[] seen = (Ternary.Linear(hot, weight, 1e-12, false, dtype) / 4.0).HostArray<double>();

        Assert.All(seen, w => Assert.InRange(new[] { -gamma, 0, gamma }.Min(v => Math.Abs(v - w)), 0, 1e-6));
        Assert.Equal(3, seen.Select(w => Math.Sign(Math.Round(w, 5))).Distinct().Count());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Check_5_outputs_and_gradients_are_those_of_weights_and_inputs_with_a_straight_through_sum(bool quantized)
    {
        var weight = nn.Parameter(empty([7, 10], ScalarType.Float64).normal_());
        var x = nn.Parameter(empty([2, 5, 10], ScalarType.Float64).normal_());
        var probe = empty([2, 5, 7], ScalarType.Float64).normal_();

        var got = Ternary.Linear(x, weight, Eps, quantized, ScalarType.Float64);
        (got * probe).sum().backward();
        var (gotW, gotX) = (weight.grad!.clone(), x.grad!.clone());
        (weight.grad, x.grad) = (null, null);
        var naive = Naive(x, weight, quantized);
        (naive * probe).sum().backward();

        Assert.InRange(Small.Difference(naive, got), 0, 1e-12);
        Assert.InRange(Small.Difference(weight.grad!, gotW), 0, 1e-12);
        Assert.InRange(Small.Difference(x.grad!, gotX), 0, 1e-12);

        // The dense gradient: the probe times the inputs that the product saw.
        var seen = Functions.RmsNorm(x, Eps).detach();
        seen = quantized ? Rounded(seen) : seen;
        Assert.InRange(Small.Difference(probe.reshape(10, 7).transpose(0, 1).mm(seen.reshape(10, 10)), gotW), 0, 1e-12);
    }

    [Fact]
    public void Check_5_training_moves_codes()
    {
        var model = Kinds.Tiny("ternary_swiglu", "block", ScalarType.Float32);
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Lr = 3e-3, WeightDecay = 0 });
        double[] Codes() => Ternary.Codes(model.Weight("blocks.0.ffn.gate")).Codes_OI.HostArray<double>();
        double[] first = Codes();
        var ids = Small.Ids(4, 24, 40);
        var totals = model.Count(Kinds.Text(ids), 24);
        double before = 0, after = 0;
        for (int step = 0; step < 40; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var loss = model.Loss(ids, ids, totals).Total;
            loss.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
            (before, after) = (step == 0 ? loss.Number() : before, loss.Number());
        }

        int moved = first.Zip(Codes()).Count(p => p.First != p.Second);
        Assert.InRange(moved, 1, first.Length - 1);
        Assert.True(after < before - 0.5, $"{before} to {after}");
    }

    [Theory]
    [InlineData(16)]
    [InlineData(13)]
    public void Check_5_a_packed_matrix_gives_the_straight_through_product_at_two_bits_a_weight(int columns)
    {
        var weight = empty([9, columns]).normal_();
        var x = empty([4, columns]).normal_();
        var packed = TernaryMatrix.Pack(weight);
        var expected = Naive(x, weight, true);

        Assert.Equal([9L, (columns + 3) / 4], packed.Bytes_OQ.shape);
        Assert.Equal(ScalarType.Byte, packed.Bytes_OQ.dtype);
        Assert.Equal(Ternary.Codes(weight).Codes_OI.HostArray<double>(), packed.Unpack().HostArray<double>());
        double largest = expected.HostArray<double>().Max(Math.Abs);
        Assert.InRange(Small.Difference(expected, packed.Linear(x, Eps)), 0, 1e-5 * largest);
    }

    [Fact]
    public void A_matrix_of_zeros_gives_zeros_and_still_a_gradient()
    {
        var weight = nn.Parameter(zeros([3, 4], ScalarType.Float64));
        var y = Ternary.Linear(ones([1, 4], ScalarType.Float64), weight, Eps, true, ScalarType.Float64);
        y.sum().backward();

        Assert.All(y.HostArray<double>(), v => Assert.Equal(0.0, v));
        Assert.All(weight.grad!.HostArray<double>(), g => Assert.Equal(1, g, 1e-6));
    }

    // The definition: sums of a value and a constant, as they stand in the paper.
    private static Tensor Naive(Tensor x, Tensor weight, bool quantized)
    {
        var gamma = weight.detach().abs().mean();
        var ternary = (weight.detach() / (gamma + 1e-5)).round().clamp(-1, 1) * gamma;
        var normed = Functions.RmsNorm(x, Eps);
        var inputs = quantized ? normed + (Rounded(normed.detach()) - normed.detach()) : normed;
        return inputs.matmul((weight + (ternary - weight.detach())).transpose(0, 1));
    }

    private static Tensor Rounded(Tensor x)
    {
        var steps = full([], 127, x.dtype) / x.abs().amax([-1], true).clamp(min: 1e-5);
        return (x * steps).round() / steps;
    }
}
