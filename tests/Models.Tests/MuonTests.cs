using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class MuonTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public MuonTests() => manual_seed(4);

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(64, 64)]
    [InlineData(32, 96)]
    [InlineData(512, 1536)]
    public void Optimizers_check_4_singular_values_end_near_one_whatever_the_scale(int rows, int columns)
    {
        var u = empty([1, rows, columns]).normal_();
        var turned = NewtonSchulz.Orthogonalize(u, 5);
        double[] values = linalg.svdvals(turned.select(0, 0)).HostArray<double>();

        Assert.InRange(values.Min(), 0.6, 1.0);
        Assert.InRange(values.Max(), 1.0, 1.3);
        Assert.InRange(Small.Difference(turned, NewtonSchulz.Orthogonalize(u * 1e-3, 5)), 0, 2e-4);
    }

    [Fact]
    public void Optimizers_check_4_a_transposed_input_gives_the_transposed_result()
    {
        var u = empty([3, 24, 24], ScalarType.Float64).normal_();

        Assert.InRange(Small.Difference(NewtonSchulz.Orthogonalize(u, 5).transpose(1, 2), NewtonSchulz.Orthogonalize(u.transpose(1, 2), 5)), 0, 1e-12);
    }

    [Fact]
    public void Optimizers_check_5_both_published_momenta_give_one_direction()
    {
        var g = empty([1, 32, 48], ScalarType.Float64).normal_();
        var (b, lerped) = (zeros([1, 32, 48], ScalarType.Float64), zeros([1, 32, 48], ScalarType.Float64));
        for (int step = 0; step < 6; step++)
        {
            b.mul_(0.95).add_(g);
            lerped.mul_(0.95).add_(g, 0.05);
            var first = NewtonSchulz.Orthogonalize(g + (b * 0.95), 5);
            var second = NewtonSchulz.Orthogonalize((g * 0.05) + (lerped * 0.95), 5);
            Assert.InRange(Small.Difference(first, second), 0, 1e-5);
        }
    }

    [Fact]
    public void Hybrid_check_14_an_update_has_the_orthogonal_scale_of_its_shape()
    {
        var model = Small.Tiny(new { d_model = 16, d_ff = 48 });
        var before = model.Weight("blocks.0.ffn.gate").detach().clone();
        model.Weight("blocks.0.ffn.gate").grad = empty([48, 16], ScalarType.Float64).normal_();
        using var optimizer = new MuonAdam(model, new OptimizerSpec { Lr = 0.1, WeightDecay = 0 });

        optimizer.Step(0.5);

        double[] moved = linalg.svdvals((before - model.Weight("blocks.0.ffn.gate")) / 0.05).HostArray<double>();
        Assert.All(moved, s => Assert.InRange(s, 0.6 * Math.Sqrt(3), 1.3 * Math.Sqrt(3)));
    }

    [Fact]
    public void Optimizers_check_11_muon_sees_matrices_only()
    {
        foreach (var family in Families.All)
        {
            var plan = family.Plan("nano", new Dictionary<string, System.Text.Json.JsonElement>(), [])!;
            foreach (var tensor in plan.Tensors.Where(t => t.MuonRows.Count > 0))
            {
                Assert.Equal(ParameterGroup.Matrix, tensor.Group);
                Assert.InRange(tensor.MuonRows.Sum(), 1, tensor.Count / tensor.Shape[^1]);
                Assert.DoesNotContain("router", tensor.Name, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("qovaryx", """{"d_model": 32, "decision_head_enabled": true, "chart_patch_encoder_enabled": true}""", "blocks.0.k blocks.1.o mtp.1.proj mtp.3.res blocks.0.ffn.down", "decision.w chart.conv1.w tok_emb final_norm")]
    [InlineData("qovaryx", """{"ffn_kind": "routed_lowrank_swiglu"}""", "blocks.0.q", "blocks.0.ffn.router blocks.0.ffn.expert1.gate_a blocks.0.ffn.expert1.down_b")]
    [InlineData("vuaf", """{"moe_n_experts": 20, "mamba_d_state": 4}""", "blocks.0.token_mix.module.W_g.weight blocks.3.token_mix.module.qkv.weight blocks.1.channel_mix.module.experts.19.w3.weight",
        "blocks.1.channel_mix.module.router.weight blocks.0.token_mix.module.w_low_out.weight halt_head.proj.weight embed.weight")]
    [InlineData("moa", "{}", "blocks.0.mqa.k blocks.1.conv.in", "blocks.0.ffn.lr.a blocks.0.ffn.lr.gate blocks.0.ffn.lr.b blocks.0.conv.dw")]
    public void Optimizers_check_11_matrices_of_any_sides_take_muon_and_heads_routers_and_low_rank_pairs_adam(string family, string model, string muon, string adam)
    {
        var overrides = JsonDocument.Parse(model).RootElement.EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        var tensors = Families.Find(family)!.Plan("nano", overrides, [])!.Tensors.ToDictionary(t => t.Name);

        Assert.All(muon.Split(' '), name => Assert.Equal(tensors[name].Shape[0], tensors[name].MuonRows.Sum()));
        Assert.All(adam.Split(' '), name => Assert.Empty(tensors[name].MuonRows));
    }

    [Fact]
    public void Optimizers_check_11_rows_of_a_fused_projection_for_x_B_and_C_take_muon_however_few()
    {
        var tensors = Small.Plan(new { mamba_d_state = 4, mamba_d_head = 32 }, family: "vuaf").Tensors;

        // x, B and C; below them one row of dt for each of two heads.
        var projection = tensors.First(t => t.Name.EndsWith("in_proj.weight", StringComparison.Ordinal));
        Assert.Equal([74L, 64], projection.Shape);
        Assert.Equal([64L, 4, 4], projection.MuonRows);
    }

    [Fact]
    public void Optimizers_check_11_stacked_matrices_are_turned_one_by_one_and_the_rows_below_take_adam()
    {
        var model = new BareModel(TensorSpec.Matrix("w", 24, 16, Init.Zeros) with { MuonRows = [16, 4] });
        var grad = empty([24, 16], ScalarType.Float64).normal_();
        model.Weight("w").grad = grad;
        using var optimizer = new MuonAdam(model, new OptimizerSpec { Lr = 0.1, WeightDecay = 0 });

        optimizer.Step(1);

        var moved = model.Weight("w") * -10.0;
        Assert.InRange(Small.Difference(NewtonSchulz.Orthogonalize(grad.narrow(0, 0, 16).unsqueeze(0), 5).select(0, 0), moved.narrow(0, 0, 16)), 0, 1e-7);
        Assert.InRange(Small.Difference(NewtonSchulz.Orthogonalize(grad.narrow(0, 16, 4).unsqueeze(0), 5).select(0, 0), moved.narrow(0, 16, 4)), 0, 1e-7);
        Assert.InRange(Small.Difference(grad.narrow(0, 20, 4).sign(), moved.narrow(0, 20, 4)), 0, 1e-6);
        Assert.Equal(["mu.w.0", "mu.w.1", "m.w", "v.w"], optimizer.State.Select(s => s.Name));
        var whole = NewtonSchulz.Orthogonalize(grad.narrow(0, 0, 20).transpose(0, 1).unsqueeze(0), 5).select(0, 0).transpose(0, 1);
        Assert.True(Small.Difference(whole, moved.narrow(0, 0, 20)) > 0.05);
    }

    [Fact]
    public void A_direction_of_zero_decays_and_turns_nothing()
    {
        var model = Small.Tiny();
        var before = model.Weight("blocks.0.q").detach().clone();
        model.Weight("blocks.0.q").grad = full([16, 16], 1e-20, ScalarType.Float64);
        using var optimizer = new MuonAdam(model, new OptimizerSpec { Lr = 0.1, WeightDecay = 0.5 });

        optimizer.Step(1);

        Assert.InRange(Small.Difference(before * 0.95, model.Weight("blocks.0.q")), 0, 1e-15);
    }
}
