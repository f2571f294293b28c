using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Checks 3, 4 and 5: the oscillators as equations.</summary>
public sealed class Check03_OscillatorTests : IDisposable
{
    private const int Batch = 2;
    private const int Time = 5;
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32, false, 1e-5)]
    [InlineData(ScalarType.Float32, true, 1e-5)]
    [InlineData(ScalarType.Float64, false, 1e-10)]
    [InlineData(ScalarType.Float64, true, 1e-10)]
    public void Check_3_mean_field_pairwise_and_fast_form_are_equal(ScalarType dtype, bool perToken, double tolerance)
    {
        manual_seed(5);
        var rings = new RingLayout([2, 4, 8], dtype, CPU);
        long[] tuned = perToken ? [Batch, Time, 3] : [3];
        var coupling = new Coupling(
            Normal(dtype, 3, 3),
            perToken ? Normal(dtype, tuned).tanh() + 1 : null,
            Normal(dtype, tuned),
            Normal(dtype, tuned),
            Normal(dtype, 1));
        var theta = Normal(dtype, Batch, Time, rings.Count) * 2;

        var truth = Kuramoto.Pairwise(theta, coupling, rings);
        var mean = Kuramoto.MeanField(theta, coupling, rings);
        var (cos, sin) = (theta.cos(), theta.sin());
        var fast = Kuramoto.Fast(cos, sin, cos.matmul(rings.Means_NR), sin.matmul(rings.Means_NR), coupling, rings);

        Assert.InRange(Nano.Changed(truth, mean), 0, tolerance);
        Assert.InRange(Nano.Changed(truth, fast), 0, tolerance);
        Assert.True(truth.pow(2).mean().Number() > 0.1);
    }

    [Fact]
    public void Check_3_the_pairwise_form_is_the_sum_over_pairs()
    {
        manual_seed(6);
        int[] sizes = [2, 4];
        var rings = new RingLayout(sizes, ScalarType.Float64, CPU);
        double[] theta = Normal(ScalarType.Float64, 6).HostArray<double>(), k = Normal(ScalarType.Float64, 4).HostArray<double>();
        double[] alpha = [0.3, -0.7], gain = [0.2, 0.5];
        var got = Kuramoto.Pairwise(tensor(theta, 1, 1, 6), new Coupling(tensor(k, 2, 2), null, tensor(alpha), tensor(gain), tensor(new[] { 0.9 })), rings).HostArray<double>();

        for (int i = 0; i < 6; i++)
        {
            int a = i < 2 ? 0 : 1;
            double sum = gain[a] * Math.Sin(0.9 - theta[i]);
            for (int j = 0; j < 6; j++)
            {
                int b = j < 2 ? 0 : 1;
                sum += k[(2 * a) + b] / sizes[b] * Math.Sin(theta[j] - theta[i] - alpha[a]);
            }

            Nano.Near(sum, got[i], 1e-12);
        }
    }

    [Fact]
    public void Check_3_gains_by_ring_size_without_frustration_are_one_global_mean_field()
    {
        manual_seed(7);
        var rings = new RingLayout([2, 4, 8], ScalarType.Float64, CPU);
        var none = zeros([3], float64);
        var gain = tensor(new[] { 2 / 14.0, 4 / 14.0, 8 / 14.0 }).expand(3, 3).contiguous();
        var theta = Normal(ScalarType.Float64, 1, 1, 14);

        var got = Kuramoto.MeanField(theta, new Coupling(gain, null, none, none, zeros([1], float64)), rings);

        var (re, im) = (theta.cos().mean(), theta.sin().mean());
        Assert.InRange(Nano.Changed((im * theta.cos()) - (re * theta.sin()), got), 0, 1e-12);
    }

    [Fact]
    public void Check_4_the_gate_starts_at_nine_tenths()
    {
        var model = Nano.Fresh();

        Nano.Near(0.9, Math.Tanh(model.Weight("layers.1.osc.gate").Number()), 1e-4);
        Nano.Near(0.9, Math.Tanh(model.Weight("hrm.gate").HostArray<double>()[2]), 1e-4);
        Assert.Equal([1, 0.25, 0, 0.25, 1, 0.25, 0, 0.25, 1], model.Weight("layers.0.osc.K").HostArray<double>());
    }

    [Fact]
    public void Check_4_the_blocks_output_never_leaves_ten()
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        model.Weight("layers.0.osc.read2").normal_(0, 500);
        var block = new QuazimotoBlock(new PositronicConfig { DModel = 64, Rings = [2, 4, 8], UseRings = false, UseRingSpecialists = false }, Weights.Of(model.Weight, "layers.0"));

        var output = block.Forward(Normal(ScalarType.Float64, 2, 9, 64), model.NewPass(Nano.Ids(2, 9), 0, null, [], false), 0);

        double[] values = output.HostArray<double>();
        Assert.All(values, v => Assert.InRange(v, -10, 10));
        Assert.Contains(values, v => Math.Abs(v) > 9.99);
    }

    [Fact]
    public void Check_4_the_clamp_has_slope_one_at_zero()
    {
        var at = tensor(new[] { -1e-3, 1e-3 });
        double[] y = Gates.SoftClamp(at).HostArray<double>();

        Nano.Near(1, (y[1] - y[0]) / 2e-3, 1e-3);
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(-2.5)]
    public void Check_5_rotating_all_phases_and_the_centre_rotates_the_result(double angle)
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        var rings = new RingLayout([2, 4, 8], ScalarType.Float64, CPU);
        var block = new QuazimotoBlock(new PositronicConfig { DModel = 64, Rings = [2, 4, 8], UseRings = false, UseRingSpecialists = false }, Weights.Of(model.Weight, "layers.0"));
        manual_seed(9);
        var (theta, omega) = (Normal(ScalarType.Float64, 2, 3, 14), Normal(ScalarType.Float64, 2, 3, 14).tanh());

        var plain = block.Integrate(theta, omega, null, null, rings);
        model.Weight("layers.0.osc.center_phase").fill_(angle);
        var turned = block.Integrate(theta + angle, omega, null, null, rings);

        Assert.InRange(Nano.Changed(plain + angle, turned), 0, 1e-5);
        Assert.True(Nano.Changed(plain, theta) > 0.1);
    }

    private static Tensor Normal(ScalarType dtype, params long[] shape) => empty(shape, dtype).normal_();
}
