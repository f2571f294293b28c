using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Moa;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>BlackHoleRoPE and the router as functions (acceptance checks 3 and 4).</summary>
public sealed class MoaRopeTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_3_turning_keeps_norms_whatever_the_frequencies()
    {
        var rope = Rope(Coefficients(5, 4));
        var x = MoaSmall.Random(2, 2, 4, 300, 16).to(float32);
        var turned = BlackHoleRope.Rotate(x, rope.Turn(Tables(), 0, 300));

        MoaSmall.Near(x.pow(2).sum(-1).sqrt(), turned.pow(2).sum(-1).sqrt(), 1e-5);
        Assert.NotEqual(0.0, Small.Difference(x, turned));
    }

    [Fact]
    public void Check_3_gains_stay_within_their_bounds_for_a_million_positions()
    {
        var config = new MoaConfig { EnergyMin = 0.25, EnergyMax = 3 };
        var rope = Rope(Coefficients(5, 4), config);
        const long time = 50_000;
        for (long offset = 0; offset < 1_000_000; offset += 190_000)
        {
            using var inner = NewDisposeScope();
            var energy = rope.Energy(Tables(), offset, time, MoaSmall.Random(3, 1, time).pow(2).to(float32) * 20);
            Assert.InRange(energy.amax([0, 1, 2, 3]).Number(), 0.25, 3);
            Assert.InRange((-energy).amax([0, 1, 2, 3]).Number(), -3, -0.25);
        }
    }

    [Fact]
    public void Check_3_at_the_start_it_is_plain_rotation_with_a_gain_of_one()
    {
        var plan = MoaSmall.Plan();
        var model = (MoaModel)plan.Build(float32, CPU, 3);
        var rope = new BlackHoleRope(new MoaConfig(), 4, Weights.Of(model.Weight, "blocks.1.rope_global"));
        var x = MoaSmall.Random(2, 2, 4, 200, 16).to(float32);
        using var quiet = no_grad();

        MoaSmall.Near(new RopeTables(float32, CPU).Turn(x, 10000, 56), BlackHoleRope.Rotate(x, rope.Turn(Tables(), 56, 200)), 1e-4);
        MoaSmall.Near(ones([2, 4, 200, 1]), rope.Energy(Tables(), 0, 200, MoaSmall.Random(3, 2, 200).to(float32)), 1e-6);
    }

    [Fact]
    public void A_cosine_at_a_quarter_turn_is_exactly_zero()
    {
        var tables = new FourierTables(16, 4, 10000, float64, CPU);

        Assert.All(tables.PairCos_MP.select(0, 3).HostArray<double>(), c => Assert.Equal(0.0, c));
        Assert.All(tables.PairSin_MP.select(0, 3).HostArray<double>(), s => Assert.Equal(1.0, Math.Abs(s)));
    }

    [Fact]
    public void The_discrepancy_is_half_the_mean_square_of_the_change()
    {
        var n = tensor(new[] { 1.0, 2, 3, 4, 1, 2, 3, 8 }, 1, 2, 4);

        Assert.Equal([0.0, 16.0 / 8], MoaBlock.Discrepancy(n, null).HostArray<double>());
    }

    [Fact]
    public void Check_4_shares_are_even_and_gates_one_at_the_start()
    {
        var model = (MoaModel)MoaSmall.Plan().Build(float64, CPU, 3);
        var router = new TokenRouter(new MoaConfig(), Weights.Of(model.Weight, "blocks.0"));
        var pass = new MoaPass(0, float64, Tables(), AttentionForm.Augmented, null);
        using var quiet = no_grad();
        var share = router.Forward(MoaSmall.Random(1, 2, 9, 64), pass);

        MoaSmall.Near(full([2, 9, 4], 0.25, float64), pass.Omegas[0], 0);
        MoaSmall.Near(full([2, 9, 4], 0.25, float64), share, 1e-15);
    }

    [Fact]
    public void Check_4_shares_are_a_distribution_and_every_path_matters()
    {
        var model = MoaSmall.Tiny();
        var ids = Small.Ids(2, 12, 40);
        using var quiet = no_grad();
        var before = model.Logits(ids);
        Assert.All(model.Inside(ids).Omegas, omega =>
        {
            Assert.All(omega.HostArray<double>(), w => Assert.InRange(w, 0, 1));
            MoaSmall.Near(ones([2, 12], float64), omega.sum(-1), 1e-12);
        });

        for (int path = 0; path < 4; path++)
        {
            var bias = model.Weight("blocks.1.router.b2").narrow(0, path, 1);
            double open = bias.Number();
            bias.fill_(-1e9);
            Assert.All(model.Inside(ids).Omegas[1].select(-1, path).HostArray<double>(), w => Assert.Equal(0.0, w));
            Assert.NotEqual(0.0, Small.Difference(before, model.Logits(ids)));
            bias.fill_(open);
        }
    }

    [Fact]
    public void Check_4_two_paths_are_kept_and_of_equals_the_lower()
    {
        var soft = tensor(new[] { 0.25, 0.25, 0.25, 0.25, 0.1, 0.4, 0.1, 0.4, 0.2, 0.2, 0.5, 0.1, 0.05, 0.05, 0.05, 0.85 }, 4, 4);

        double[] kept = TokenRouter.TopTwo(soft).HostArray<double>();

        double[] expected = [0.5, 0.5, 0, 0, 0, 0.5, 0, 0.5, 2 / 7.0, 0, 5 / 7.0, 0, 0.05 / 0.9, 0, 0, 0.85 / 0.9];
        Assert.All(expected.Zip(kept), p => Assert.Equal(p.First, p.Second, 1e-12));
        using var quiet = no_grad();
        var model = MoaSmall.Tiny(new { router_topk = 2 });
        Assert.All(model.Inside(Small.Ids(2, 12, 40)).Omegas, omega => Assert.All(omega.ne(0).to(int64).sum(-1).HostArray<long>(), n => Assert.Equal(2, n)));
    }

    [Fact]
    public void Training_routes_softly_before_it_keeps_two()
    {
        var model = MoaSmall.Tiny(new { router_topk = 2, router_soft_steps = 5, ti_weight = 0 });
        var soft = MoaSmall.Tiny(new { router_topk = 0, ti_weight = 0 });
        var ids = Small.Ids(2, 12, 40);
        using var quiet = no_grad();
        double Ce(MoaModel of, int step) => MoaSmall.Loss(of, ids, MoaSmall.Step(step)).Terms[0].Sum.Number();

        Assert.Equal(Ce(soft, 4), Ce(model, 4));
        Assert.NotEqual(Ce(soft, 5), Ce(model, 5));
    }

    [Fact]
    public void A_convolution_weighs_the_rows_before_by_its_taps()
    {
        var x = tensor(new[] { 1.0, 10, 2, 20, 3, 30 }, 1, 3, 2);
        var taps = tensor(new[] { 1.0, 0.5, 0.25, 2, 0, 1 }, 2, 3);

        Assert.Equal([1.0, 20, 2.5, 40, 4.25, 70], CausalConv.Forward(x, taps, null).HostArray<double>());
    }

    private static BlackHoleRope Rope(Dictionary<string, Tensor> weights, MoaConfig? config = null) =>
        new(config ?? new MoaConfig(), 4, Weights.Of(name => weights[name]));

    private static FourierTables Tables() => new(16, 4, 10000, float32, CPU);

    private static Dictionary<string, Tensor> Coefficients(double size, int heads) => new[] { "freq_sin", "freq_cos", "en_sin", "en_cos", "en_bias", "en_disc" }
        .Select((name, i) => (name, Value: (MoaSmall.Random(20 + i, name is "en_bias" or "en_disc" ? [heads] : [heads, 4]) * size).to(float32)))
        .ToDictionary(p => p.name, p => p.Value, StringComparer.Ordinal);
}
