using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Check 6: the controllers' fast weights, and what they may depend on.</summary>
public sealed class Check06_ControllerTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_6_a_zero_decoder_is_no_controller()
    {
        using var quiet = no_grad();
        var with = Nano.Open();
        var without = Nano.Open(new { use_ring_controllers = false });
        for (int r = 0; r < 3; r++)
        {
            with.Weight($"controller.{r}.decode").zero_();
        }

        Assert.Equal(0.0, Nano.Changed(with.Logits(Nano.Ids(2, 20)), without.Logits(Nano.Ids(2, 20))));
    }

    [Fact]
    public void Check_6_fast_weights_equal_a_scalar_loop()
    {
        manual_seed(3);
        var trace = new RingControllers(3, Weights.Of(Nano.Open().Weight, "controller")).Begin();
        double[][] seen = [.. Enumerable.Range(0, 8).Select(_ => new double[4])];
        foreach (double[] f in seen)
        {
            var (re, im, omega) = (empty([1, 2, 3], float64).normal_(), empty([1, 2, 3], float64).normal_(), empty([1, 2, 3], float64).normal_());
            trace.Observe(re, im, omega);
            double x = re.HostArray<double>()[4], y = im.HostArray<double>()[4], length = Math.Sqrt((x * x) + (y * y));
            (f[0], f[1], f[2], f[3]) = (length, x / length, y / length, omega.HostArray<double>()[4]);
        }

        double[,] fast = new double[4, 4];
        for (int s = 1; s < seen.Length; s++)
        {
            double square = seen[s - 1].Sum(v => v * v) + 1e-3;
            double[] error = [.. Enumerable.Range(0, 4).Select(i => seen[s][i] - Enumerable.Range(0, 4).Sum(j => fast[i, j] * seen[s - 1][j]))];
            for (int i = 0; i < 4; i++)
            {
                for (int j = 0; j < 4; j++)
                {
                    fast[i, j] += 0.5 * error[i] * seen[s - 1][j] / square;
                }
            }
        }

        // Element 4 of [1,2,3] is token 1, ring 1.
        double[] got = trace.Fast!.select(1, 1).select(1, 1).HostArray<double>();
        Assert.All(Enumerable.Range(0, 16), i => Nano.Near(fast[i / 4, i % 4], got[i], 1e-12));
    }

    [Fact]
    public void Check_6_in_one_block_a_token_changes_its_own_fast_weight_only()
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        var config = new PositronicConfig { DModel = 64, Rings = [2, 4, 8], UseRings = false, UseRingSpecialists = false, UseFractalPhaseSeed = false };
        var block = new QuazimotoBlock(config, Weights.Of(model.Weight, "layers.0"));
        manual_seed(4);
        var x = empty([1, 6, 64], float64).normal_();
        var changed = x.clone();
        changed.narrow(1, 3, 1).normal_();

        var (before, after) = (Fast(x), Fast(changed));

        for (int t = 0; t < 6; t++)
        {
            double difference = Nano.Changed(before.select(1, t), after.select(1, t));
            Assert.True(t == 3 ? difference > 0 : difference == 0, $"token {t}: {difference}");
        }

        Tensor Fast(Tensor input)
        {
            var pass = model.NewPass(Nano.Ids(1, 6), 0, null, [], false);
            block.Forward(input, pass, 0);
            return pass.Controllers!.Fast!;
        }
    }

    [Fact]
    public void Check_6_in_the_whole_model_no_fast_weight_before_a_changed_token_moves()
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        long[] ids = Nano.Ids(1, 24).HostArray<long>();
        var before = Fast(ids);
        ids[18] = (ids[18] + 1) % 512;
        var after = Fast(ids);

        Assert.Equal(0.0, Nano.Changed(before.narrow(1, 0, 18), after.narrow(1, 0, 18)));
        Assert.NotEqual(0.0, Nano.Changed(before.select(1, 18), after.select(1, 18)));

        Tensor Fast(long[] text)
        {
            var ids_BT = tensor(text, 1, text.Length);
            var pass = model.NewPass(ids_BT, 0, null, model.EmptyMemories(1), true);
            model.Trunk(ids_BT, pass);
            return pass.Controllers!.Fast!;
        }
    }
}
