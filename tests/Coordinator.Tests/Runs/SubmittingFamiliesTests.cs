using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Models;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Runs;

/// <summary>Every family over <c>POST /api/v1/runs</c>, with fields of its own.</summary>
[Collection(SharedPostgres.Name)]
public sealed class SubmittingFamiliesTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Accepted = new(StringComparer.Ordinal)
    {
        ["qovaryx"] = """{"ffn_kind": "ternary_swiglu", "qk_norm": true}""",
        ["moa"] = """{"metric": "cosine", "router_topk": 2}""",
        ["positronic"] = """{"rings": [2, 3, 9], "use_hrm": false}""",
        ["hybrid"] = """{"attn_layers": [1, 4], "ve_layers": [], "mlp_slope": 0.25}""",
        ["vuaf"] = """{"token_mix_pattern": ["rwkv7", "rwkv7", "mamba2", "attn", "rwkv7", "attn"], "loop_steps": 3}""",
    };

    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task Every_familys_recipe_is_queued_with_fields_of_its_own_in_it()
    {
        Assert.Equal(Families.All.Select(f => f.Name).Order(), Accepted.Keys.Order());
        foreach (var family in Families.All)
        {
            var own = JsonNode.Parse(Accepted[family.Name])!.AsObject();

            var run = await _service.SubmitAsync(Spec(family, own));

            var stored = (await _service.DetailAsync(run.Id)).Spec;
            Assert.Equal((family.Name, "nano"), (run.Family, run.Size));
            Assert.All(own, field => Assert.True(JsonNode.DeepEquals(field.Value, JsonNode.Parse(stored.GetProperty("model").GetProperty(field.Key).GetRawText())), $"{family.Name}: {field.Key}"));
            Assert.Equal(family.Recipe("nano").Optimizer.Name, stored.GetProperty("optimizer").GetProperty("name").GetString());
        }
    }

    [Fact]
    public async Task A_wrong_field_of_each_family_is_named_with_its_value_and_what_is_allowed()
    {
        (string Family, string Own, string Field, string Value, string Message)[] cases =
        [
            ("qovaryx", """{"ffn_kind": "gelu"}""", "ffn_kind", "gelu", "model.ffn_kind is gelu. Allowed: swiglu, ternary_swiglu, lowrank_swiglu, routed_lowrank_swiglu."),
            ("moa", """{"router_topk": 1}""", "router_topk", "1", "model.router_topk is 1. Allowed: 0, 2."),
            ("positronic", """{"rings": [2, "four"]}""", "rings", """[2,"four"]""", "model.rings is [2,\"four\"]. Allowed: a list of whole numbers, 1 to 65,536."),
            ("positronic", """{"rings": "2, 4"}""", "rings", "2, 4", "model.rings is 2, 4. Allowed: a list of whole numbers, 1 to 65,536."),
            ("hybrid", """{"attn_layers": [1, 9]}""", "attn_layers", "1, 9", "model.attn_layers is 1, 9. Allowed: 0 to 4, each once."),
            ("hybrid", """{"rings": [2]}""", "rings", "[2]", "No field is called model.rings."),
            ("vuaf", """{"token_mix_pattern": ["rwkv7", "attn"]}""", "token_mix_pattern", "2 entries", "model.token_mix_pattern is 2 entries; model.n_layers is 6. Allowed: 6 entries."),
        ];
        foreach (var (family, own, field, value, message) in cases)
        {
            using var response = await _service.PostAsync("/api/v1/runs", new { spec = Spec(Families.Find(family)!, JsonNode.Parse(own)!.AsObject()) });

            Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
            var error = Assert.Single(await response.ErrorsAsync());
            Assert.Equal(($"model.{field}", value, message), (error.Field, error.Value, error.Message));
        }
    }

    private static JsonObject Spec(Family family, JsonObject own)
    {
        var spec = JsonSerializer.SerializeToNode(family.Recipe("nano"), Json.Wire)!.AsObject();
        spec["data"]!["dataset"] = "docs";
        foreach (var (name, value) in own)
        {
            spec["model"]![name] = value!.DeepClone();
        }

        return spec;
    }
}
