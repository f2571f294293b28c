using System.Text.Json;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Positronic;

/// <summary>Check 1: parameters, names, shapes and groups; and what a plan refuses.</summary>
public sealed class Check01_CountTests
{
    [Theory]
    [InlineData("nano", 181_224)]
    [InlineData("144m", 144_283_904)]
    public void Check_1_parameters_are_those_of_the_calculator(string size, long expected) => Assert.Equal(expected, Nano.Plan(size: size).Parameters);

    [Theory]
    [InlineData("nano")]
    [InlineData("144m")]
    public void Check_1_names_shapes_and_groups_match_the_stored_table(string size)
    {
        string[] lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "cases", "positronic.tensors.txt"));
        string[] stored = [.. lines.SkipWhile(l => l != $"# {size}").Skip(1).TakeWhile(l => !l.StartsWith('#'))];

        Assert.Equal(stored, Nano.Plan(size: size).Tensors.Select(t => $"{t.Name} {string.Join('x', t.Shape)} {t.Group.ToString().ToLowerInvariant()}"));
    }

    [Fact]
    public void Check_1_no_trait_flag_but_derf_changes_the_tensor_list()
    {
        var all = Nano.Plan().Tensors.Select(t => t.Name).ToArray();
        foreach (string flag in Nano.Flags.Append("use_xsa"))
        {
            Assert.Equal(all, Nano.Plan(new Dictionary<string, bool> { [flag] = flag == "use_xsa" }).Tensors.Select(t => t.Name));
        }

        var derf = Nano.Plan(new { use_derf = true }).Tensors.Select(t => t.Name).Except(all).ToArray();
        Assert.Equal(["layers.0.attn.derf_alpha", "layers.0.attn.derf_beta", "layers.0.attn.derf_gamma"], derf[..3]);
        Assert.Equal(6, derf.Length);
    }

    [Fact]
    public void Muon_takes_every_matrix_whole_and_tables_skip_rows_without_gradient()
    {
        foreach (var tensor in Nano.Plan().Tensors)
        {
            bool matrix = tensor.Group == ParameterGroup.Matrix, table = tensor.Name == "tok_emb" || tensor.Name.EndsWith(".tables", StringComparison.Ordinal);
            Assert.Equal(matrix ? [tensor.Shape[0]] : [], tensor.MuonRows);
            Assert.Equal((matrix, table), (tensor.Decays, tensor.SkipsEmptyRows));
        }
    }

    [Theory]
    [InlineData("{\"n_kv_head\":3}", "model.n_kv_head 3 does not divide model.n_head 4.")]
    [InlineData("{\"phase_heads\":3}", "model.phase_heads 3 does not divide model.phase_dim 16.")]
    [InlineData("{\"spec_top_k\":4}", "model.spec_top_k is 4. Allowed: 1 to model.spec_per_ring, 3.")]
    [InlineData("{\"moe_top_k\":5}", "model.moe_top_k is 5. Allowed: 1 to model.moe_experts, 4.")]
    [InlineData("{\"head_dim\":6}", "model.head_dim is 6. Allowed: a multiple of 4, since half of it is turned in pairs.")]
    [InlineData("{\"engram_table\":48}", "model.engram_table is 48. Allowed: a power of two, since a hash is a row of bits.")]
    [InlineData("{\"rings\":[65536,4]}", "model.rings [65536, 4] makes 65,540 oscillators. Allowed: one ring or more, at most 65,536 oscillators in all.")]
    [InlineData("{\"rings\":[]}", "model.rings [] makes 0 oscillators. Allowed: one ring or more, at most 65,536 oscillators in all.")]
    public void A_combination_that_cannot_be_built_is_named(string json, string message)
    {
        var errors = new List<FieldError>();

        Assert.Null(Families.Plan(Small.Model(JsonSerializer.Deserialize<JsonElement>(json), family: "positronic"), errors));

        Assert.Equal(message, Assert.Single(errors).Message);
    }

    [Fact]
    public void Costs_of_the_large_model_are_those_that_its_page_counts()
    {
        var plan = Nano.Plan(size: "144m");

        // 165 M multiply-adds a token, 63 M of them in the five vocabulary heads.
        Assert.InRange(plan.MultiplyAdds(0), 160e6, 175e6);
        Assert.InRange(plan.LogitsPerToken * 768, 63e6, 64e6);
        Assert.True(plan.MultiplyAdds(2048) > plan.MultiplyAdds(128));
        Assert.True(plan.Activations.Kept(512) > 10 * 20_000);
    }
}
