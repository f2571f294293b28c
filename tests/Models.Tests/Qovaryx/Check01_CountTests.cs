using Hearth.Models;
using Xunit;

namespace Hearth.Tests.Qovaryx;

public sealed class Check01_CountTests
{
    [Theory]
    [InlineData("nano", "swiglu", 158_592)]
    [InlineData("50m", "swiglu", 46_557_184)]
    [InlineData("350m", "swiglu", 352_161_792)]
    [InlineData("1b", "swiglu", 1_053_966_336)]
    [InlineData("50m", "ternary_swiglu", 46_557_184)]
    [InlineData("350m", "ternary_swiglu", 352_161_792)]
    [InlineData("1b", "ternary_swiglu", 1_053_966_336)]
    [InlineData("50m", "lowrank_swiglu", 29_452_288)]
    [InlineData("350m", "lowrank_swiglu", 158_404_608)]
    [InlineData("1b", "lowrank_swiglu", 373_800_960)]
    [InlineData("50m", "routed_lowrank_swiglu", 56_018_944)]
    [InlineData("350m", "routed_lowrank_swiglu", 277_954_560)]
    [InlineData("1b", "routed_lowrank_swiglu", 565_379_072)]
    public void Check_1_parameters_of_every_size_and_kind_are_those_of_the_calculator(string size, string kind, long expected) =>
        Assert.Equal(expected, Small.Plan(new { ffn_kind = kind }, size).Parameters);

    [Theory]
    [InlineData("50m", 44_193_280)]
    [InlineData("350m", 312_038_400)]
    [InlineData("1b", 1_016_199_168)]
    public void Check_1_a_trunk_without_further_heads_has_the_stated_count(string size, long expected) =>
        Assert.Equal(expected, Small.Plan(new { mtp_k = 1 }, size).Parameters);

    [Fact]
    public void An_image_encoder_and_a_decision_head_add_their_own()
    {
        long plain = Small.Plan(size: "350m").Parameters;

        Assert.Equal(plain + 276_544, Small.Plan(new { chart_patch_encoder_enabled = true }, "350m").Parameters);
        Assert.Equal(plain + (5 * 1024) + 4, Small.Plan(new { decision_head_enabled = true }, "350m").Parameters);
    }

    [Fact]
    public void Every_kind_keeps_the_names_of_all_other_tensors()
    {
        string[] Names(string kind) => [.. Small.Plan(new { ffn_kind = kind, mtp_kind = "block" }).Tensors.Select(t => t.Name).Where(n => !n.Contains(".ffn.", StringComparison.Ordinal))];

        foreach (string kind in Kinds.All)
        {
            Assert.Equal(Names("swiglu"), Names(kind));
        }
    }

    [Theory]
    [InlineData("lowrank_swiglu", 1)]
    [InlineData("routed_lowrank_swiglu", 1)]
    [InlineData("routed_lowrank_swiglu", 2)]
    public void Multiply_adds_of_a_routed_model_are_those_of_the_experts_a_token_goes_to(string kind, int topK)
    {
        var plan = Small.Plan(new { ffn_kind = kind, ffn_top_k = topK, mtp_kind = "block" });
        long Sum(Func<TensorSpec, bool> which) => plan.Tensors.Where(which).Sum(t => t.Count);
        bool Expert(TensorSpec t) => t.Name.Contains(".expert", StringComparison.Ordinal);
        long routers = Sum(t => t.Name.EndsWith(".router", StringComparison.Ordinal));

        double expected = Sum(t => t.Group == ParameterGroup.Matrix && !Expert(t)) + (Sum(Expert) * topK / 4) + routers + (4.0 * plan.Tensors[0].Count);
        Assert.Equal(expected, plan.MultiplyAdds(0));
        Assert.All(plan.Tensors.Where(t => t.Name.EndsWith(".router", StringComparison.Ordinal)), t => Assert.False(t.Decays || t.MuonRows.Count > 0));
    }
}
