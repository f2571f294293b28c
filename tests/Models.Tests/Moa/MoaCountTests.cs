using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

/// <summary>MoA-Metric's parameters, fields and costs (acceptance check 1).</summary>
public sealed class MoaCountTests
{
    [Theory]
    [InlineData("nano", 238_668)]
    [InlineData("150m", 149_878_136)]
    [InlineData("400m", 400_557_188)]
    public void Check_1_parameters_are_those_of_the_calculator(string size, long expected) => Assert.Equal(expected, MoaSmall.Plan(size: size).Parameters);

    [Fact]
    public void Check_1_a_block_of_150m_has_9_809_418_parameters() => Assert.All(
        Enumerable.Range(0, 12),
        i => Assert.Equal(9_809_418, MoaSmall.Plan(size: "150m").Tensors.Where(t => t.Name.StartsWith($"blocks.{i}.", StringComparison.Ordinal)).Sum(t => t.Count)));

    [Theory]
    [InlineData("nano")]
    [InlineData("150m")]
    [InlineData("400m")]
    public void Check_1_names_shapes_and_groups_match_the_stored_table(string size)
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "cases", "moa.tensors.txt"));
        string[] stored = [.. lines.SkipWhile(l => l != $"# {size}").Skip(1).TakeWhile(l => !l.StartsWith('#'))];

        Assert.Equal(stored, MoaSmall.Plan(size: size).Tensors.Select(t => $"{t.Name} {string.Join('x', t.Shape)} {t.Group.ToString().ToLowerInvariant()}"));
    }

    [Fact]
    public void Only_the_rotary_frequencies_learn_at_their_own_rate()
    {
        var plan = MoaSmall.Plan();

        Assert.All(plan.Tensors, t => Assert.Equal(t.Name.Contains(".freq_", StringComparison.Ordinal) ? 0.1 : 1, t.LrScale));
        Assert.All(MoaSmall.Plan(new { freq_lr_mult = 1 }).Tensors, t => Assert.Equal(1, t.LrScale));
    }

    [Theory]
    [InlineData("nano")]
    [InlineData("150m")]
    [InlineData("400m")]
    public void Multiply_adds_beside_attention_are_one_per_entry_of_what_multiplies_a_row(string size)
    {
        var plan = MoaSmall.Plan(size: size);
        string[] rows = [".router.fc1", ".router.fc2", ".bias_gate", ".feat_gate.w", ".dw", ".router.w"];
        long entries = plan.Tensors.Where(t => t.Group == ParameterGroup.Matrix || rows.Any(r => t.Name.EndsWith(r, StringComparison.Ordinal))).Sum(t => t.Count);

        Assert.Equal(entries + plan.Tensors[0].Count, plan.MultiplyAdds(0));
        Assert.True(plan.MultiplyAdds(128) > plan.MultiplyAdds(0));

        // Attention keeps no scores, so a token costs the same in any row.
        Assert.Equal(plan.Activations.Kept(256), plan.Activations.Kept(512));
    }

    [Theory]
    [InlineData("attn_heads", 5, "a divisor of 64", "model.attn_heads 5 does not divide model.dim 64.")]
    [InlineData("attn_heads", 64, "an even head width", "model.dim 64 over model.attn_heads 64 is an odd head width; rotary positions need an even one.")]
    [InlineData("mqa_q_heads", 2, "4", "model.mqa_q_heads is 2. Allowed: 4, the value of model.attn_heads.")]
    [InlineData("router_topk", 1, "0, 2", "model.router_topk is 1. Allowed: 0, 2.")]
    [InlineData("energy_min", 1, "0 to 0.999", "model.energy_min is 1. Allowed: 0 to 0.999.")]
    [InlineData("metric", "dot", "l2, cosine, maha_diag", "model.metric is dot. Allowed: l2, cosine, maha_diag.")]
    public void A_wrong_field_is_named_with_what_is_allowed(string field, object value, string allowed, string message)
    {
        var errors = new List<FieldError>();

        Assert.Null(Families.Plan(Small.Model(new Dictionary<string, object> { [field] = value }, family: "moa"), errors));

        Assert.Contains(errors, e => (e.Field, e.Allowed, e.Message) == ($"model.{field}", allowed, message));
    }

    [Fact]
    public void A_plan_echoes_every_field()
    {
        var plan = MoaSmall.Plan(new { metric = "cosine", use_balls = true });

        Assert.Equal(Families.Find("moa")!.Fields.Select(f => f.Name).Order(), plan.Config.Select(p => p.Key).Order());
        Assert.Equal("cosine", plan.Config["metric"]!.GetValue<string>());
        Assert.Equal("MoA-Metric 400M", MoaSmall.Plan(size: "400m").Title);
    }
}
