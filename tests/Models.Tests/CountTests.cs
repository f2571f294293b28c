using Hearth.Models;
using Xunit;

namespace Hearth.Tests;

public sealed class CountTests
{
    [Theory]
    [InlineData("nano", 210_123)]
    [InlineData("16mb", 26_999_323)]
    public void Hybrid_check_1_parameters_are_those_of_the_calculator(string size, long expected) =>
        Assert.Equal(expected, Families.Plan(Small.Model(size: size, family: "hybrid"), [])!.Parameters);

    [Theory]
    [InlineData("res", true)]
    [InlineData("res", false)]
    [InlineData("block", true)]
    [InlineData("block", false)]
    public void Both_module_kinds_and_both_tie_modes_exist_at_every_size(string kind, bool tied)
    {
        foreach (string size in Families.Find("qovaryx")!.Sizes)
        {
            var plan = Small.Plan(new { mtp_kind = kind, tie_embeddings = tied }, size);

            Assert.Equal(tied, plan.Tensors.All(t => t.Name != "lm_head"));
            Assert.Equal(kind == "block", plan.Tensors.Any(t => t.Name == "mtp.3.block.q"));
            Assert.Equal(plan.Tensors.Count, plan.Tensors.Select(t => t.Name).Distinct().Count());
        }
    }

    [Fact]
    public void Query_and_key_norms_are_one_vector_each_per_block()
    {
        var plain = Small.Plan(new { mtp_kind = "block" });
        var normed = Small.Plan(new { mtp_kind = "block", qk_norm = true });

        // Two layers and three modules, two vectors of a head's width 16.
        Assert.Equal(plain.Parameters + (5 * 2 * 16), normed.Parameters);
        Assert.Equal(ParameterGroup.Vector, normed.Tensors.Single(t => t.Name == "blocks.1.k_norm").Group);
    }

    [Theory]
    [InlineData("res")]
    [InlineData("block")]
    public void Multiply_adds_beside_attention_are_one_per_matrix_entry_and_head_use(string kind)
    {
        foreach (string size in Families.Find("qovaryx")!.Sizes)
        {
            var plan = Small.Plan(new { mtp_kind = kind }, size);
            long matrices = plan.Tensors.Where(t => t.Group == ParameterGroup.Matrix).Sum(t => t.Count);
            long head = plan.Tensors[0].Count;

            Assert.Equal(matrices + (4.0 * head), plan.MultiplyAdds(0));
            Assert.Equal(6 * plan.MultiplyAdds(128), plan.FlopsPerToken(128));
            Assert.True(plan.MultiplyAdds(128) > plan.MultiplyAdds(0));
        }
    }
}
