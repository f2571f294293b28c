using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Vuaf;

public sealed class Check01_CountTests
{
    [Theory]
    [InlineData("nano", 521_151)]
    [InlineData("femto", 2_460_629)]
    [InlineData("pico", 8_723_369)]
    [InlineData("micro", 39_080_989)]
    public void Check_1_parameters_names_shapes_and_groups_are_those_of_the_calculator(string size, long expected)
    {
        var plan = VuafSmall.Plan(size: size);
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "cases", "vuaf.tensors.txt"));
        string[] stored = [.. lines.SkipWhile(l => l != $"# {size}").Skip(1).TakeWhile(l => !l.StartsWith('#'))];

        Assert.Equal(expected, plan.Parameters);
        Assert.Equal(stored, plan.Tensors.Select(t => $"{t.Name} {string.Join('x', t.Shape)} {t.Group.ToString().ToLowerInvariant()}"));
        Assert.All(plan.Tensors, t => Assert.Equal(t.Group == ParameterGroup.Matrix, t.Decays));
    }

    [Theory]
    [InlineData("VUAF-Pico", "femto")]
    [InlineData("VUAF-1-Femto", "femto")]
    [InlineData("VUAF-1-Pico", "pico")]
    public void Check_1_published_names_are_sizes_too(string name, string size)
    {
        var plan = VuafSmall.Plan(size: name);

        Assert.Equal(size, plan.Size);
        Assert.Equal(VuafSmall.Plan(size: size).Parameters, plan.Parameters);
    }

    [Fact]
    public void The_pattern_of_layers_follows_one_rule()
    {
        Assert.Equal(["rwkv7", "mamba2", "rwkv7", "attn", "rwkv7", "mamba2"], Pattern(VuafSmall.Plan(), "token_mix_pattern"));
        Assert.Equal(["swiglu", "moe", "swiglu", "moe", "swiglu", "moe"], Pattern(VuafSmall.Plan(), "channel_mix_pattern"));
        Assert.Equal(7, Array.IndexOf(Pattern(VuafSmall.Plan(size: "micro"), "token_mix_pattern"), "attn"));
        Assert.Equal(["attn", "mamba2"], Pattern(VuafSmall.Plan(new { n_layers = 2, token_mix_pattern = new[] { "attn", "mamba2" } }), "token_mix_pattern"));
    }

    [Theory]
    [InlineData("{\"rwkv_head_dim\":24}", "model.rwkv_head_dim", "a divisor of 64")]
    [InlineData("{\"mamba_d_head\":48}", "model.mamba_d_head", "a divisor of 64")]
    [InlineData("{\"attn_head_dim\":48}", "model.attn_head_dim", "a divisor of 64")]
    [InlineData("{\"n_layers\":5}", "model.n_layers", "an even number, or any with a token_mix_pattern")]
    [InlineData("{\"moe_top_k\":5}", "model.moe_top_k", "1 to 4")]
    [InlineData("{\"token_mix_pattern\":[\"attn\"]}", "model.token_mix_pattern", "6 entries")]
    [InlineData("{\"token_mix_pattern\":[\"gru\"]}", "model.token_mix_pattern", "a list of rwkv7, mamba2, attn")]
    [InlineData("{\"halt_only\":true,\"loop_steps\":1}", "model.loop_steps", "at least 2 with halt_only")]
    [InlineData("{\"rwkv_norm\":\"batch\"}", "model.rwkv_norm", "token, sequence")]
    public void A_wrong_field_is_named_with_what_is_allowed(string json, string field, string allowed)
    {
        var errors = new List<FieldError>();

        Assert.Null(Families.Plan(Small.Model(JsonSerializer.Deserialize<JsonElement>(json), family: "vuaf"), errors));

        var error = Assert.Single(errors);
        Assert.Equal((field, allowed), (error.Field, error.Allowed));
        Assert.Contains($"Allowed: {allowed}.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_weight_starts_where_the_published_runtime_starts_it()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var model = VuafSmall.Plan().Build(TorchSharp.torch.float64, TorchSharp.torch.CPU, 3);
        double[] mix = model.Weight("blocks.0.token_mix.module.mix_r").HostArray<double>();
        double bound = Math.Sqrt(6.0 / (64 + 64)) / Math.Sqrt(2);

        Assert.Equal((1.0, 0.0), (mix[0], mix[^1]));
        Assert.Equal(1 - (1 / 63.0), mix[1], 1e-12);
        Assert.Equal([Math.Log(1), Math.Log(16)], model.Weight("blocks.1.token_mix.module.A_log").HostArray<double>().Select(a => Math.Round(a, 12)), new Near());
        Assert.Equal([-2.0], model.Weight("halt_head.proj.bias").HostArray<double>());
        Assert.InRange(model.Weight("blocks.0.token_mix.module.W_r.weight").HostArray<double>().Max(Math.Abs), 0.95 * bound, bound);
        Assert.Equal(0.0, model.Weight("blocks.0.token_mix.module.w_low_out.bias").pow(2).sum().Number());
    }

    [Fact]
    public void Spread_decays_remember_two_to_five_hundred_tokens()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var model = VuafSmall.Plan(new { decay_init = "spread" }).Build(TorchSharp.torch.float64, TorchSharp.torch.CPU, 3);
        double[] memory = [.. model.Weight("blocks.0.token_mix.module.w_low_out.bias").HostArray<double>().Select(b => -1 / Math.Log(1 / (1 + Math.Exp(-b))))];

        Assert.Equal(2, memory[0], 1e-9);
        Assert.Equal(512, memory[31], 1e-6);
        Assert.Equal(2, memory[32], 1e-9);
    }

    [Fact]
    public void Multiply_adds_count_each_matrix_once_a_loop_and_one_expert_of_four()
    {
        var plan = VuafSmall.Plan(size: "femto");
        long matrices = plan.Tensors.Where(t => t.Group == ParameterGroup.Matrix).Sum(t => t.Count);
        long idle = plan.Tensors.Where(t => t.Name.Contains("experts.", StringComparison.Ordinal)).Sum(t => t.Count) * 3 / 4;
        double scans = (3 * 5.0 * 128 * 32) + (2 * 3.0 * 128 * 16);

        Assert.Equal(4 * (matrices - idle + (4096 * 128) + scans), plan.MultiplyAdds(0));
    }

    private static string[] Pattern(ModelPlan plan, string field) => [.. plan.Config[field]!.AsArray().Select(v => v!.GetValue<string>())];

    private sealed class Near : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 1e-6;

        public int GetHashCode(double value) => 0;
    }
}
