using System.Net.Http.Json;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Models;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class ServiceTests(PostgresServer postgres)
{
    [Fact]
    public async Task Migrations_are_applied_once_by_whoever_comes_first()
    {
        await using var database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());

        var all = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Migrator.RunAsync(database)));

        var names = all.SelectMany(a => a).ToList();
        Assert.Contains("001_init", names);
        Assert.Equal(names.Order(StringComparer.Ordinal).Distinct(), names);
        Assert.Empty(await Migrator.RunAsync(database));
    }

    [Fact]
    public async Task The_models_are_described_without_loading_a_tensor_library()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());

        var models = await service.Http.GetFromJsonAsync<ModelsResponse>("/api/v1/models", Json.Wire);

        var sizes = models!.Families.Single(f => f.Name == "qovaryx").Sizes.ToDictionary(s => s.Name, s => s.Parameters);
        Assert.Equal(158_592, sizes["nano"]);
        Assert.Equal(46_557_184, sizes["50m"]);
        Assert.Equal(352_161_792, sizes["350m"]);
        Assert.Equal(1_053_966_336, sizes["1b"]);
        Assert.DoesNotContain("libtorch", await File.ReadAllTextAsync($"/proc/{service.Id}/maps"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_preset_is_a_run_once_it_names_a_dataset()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        var models = await service.Http.GetFromJsonAsync<ModelsResponse>("/api/v1/models", Json.Wire);

        foreach (var preset in models!.Presets)
        {
            var spec = preset.Spec with { Data = preset.Spec.Data with { Dataset = "docs" } };
            using var response = await service.Http.PostAsJsonAsync("/api/v1/runs/validate", new { spec }, Json.Wire);
            var validation = await response.Content.ReadFromJsonAsync<Validation>(Json.Wire);
            Assert.Equal(["data.dataset"], validation!.Errors.Select(e => e.Field));
        }
    }

    [Theory]
    [InlineData("data", "seq_len", 512, "data.seq_len", "512 is over Qovaryx nano's longest, 256. Allowed: 8 to 256.")]
    [InlineData("model", "size", "2b", "model.size", "Qovaryx has no size 2b. Allowed: nano, 50m, 350m, 1b.")]
    [InlineData("model", "family", "gpt", "model.family", "No family is called gpt. Allowed: {families}.")]
    [InlineData("model", "d_modle", 64, "model.d_modle", "No field is called model.d_modle. Nearest: model.d_model.")]
    [InlineData("model", "n_head", 5, "model.n_head", "model.n_head 5 does not divide model.d_model 64.")]
    [InlineData("model", "vocab_size", 100, "model.vocab_size", "A byte-level tokenizer has 256 bytes and an end token; 100 entries do not hold them. Allowed: at least 257.")]
    public async Task A_wrong_field_is_answered_with_its_sentence(string section, string key, object value, string field, string message)
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        var spec = new Dictionary<string, Dictionary<string, object>>
        {
            ["model"] = new() { ["family"] = "qovaryx", ["size"] = "nano" },
            ["data"] = new() { ["dataset"] = "docs", ["seq_len"] = 128 },
        };
        spec[section][key] = value;
        var json = JsonSerializer.SerializeToNode(spec)!;
        json["name"] = "a-run";

        using var response = await service.Http.PostAsJsonAsync("/api/v1/runs/validate", new { spec = json }, Json.Wire);

        var validation = await response.Content.ReadFromJsonAsync<Validation>(Json.Wire);

        // The pool has no dataset either, and that is told at once.
        var error = Assert.Single(validation!.Errors, e => e.Field != "data.dataset");
        string families = string.Join(", ", Families.All.Select(f => f.Name));
        Assert.Equal((field, message.Replace("{families}", families, StringComparison.Ordinal)), (error.Field, error.Message));
    }
}
