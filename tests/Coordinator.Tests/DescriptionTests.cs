using System.Text.Json.Nodes;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class DescriptionTests(PostgresServer postgres)
{
    private const string Update = "HEARTH_UPDATE_OPENAPI";

    [Fact]
    public async Task The_committed_description_is_that_of_the_routes()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        string served = await service.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)) + "\n";
        string file = Path.Combine(Root(), "Coordinator", "openapi.json");
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            await File.WriteAllTextAsync(file, served);
        }

        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(await File.ReadAllTextAsync(file)), JsonNode.Parse(served)),
            $"Coordinator/openapi.json is out of date: run this test with {Update}=1, look at the difference, commit it.");
    }

    [Fact]
    public async Task Every_route_has_a_summary_and_says_what_it_answers()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        var document = JsonNode.Parse(await service.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)))!;

        var operations = document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => (Route: $"{o.Key} {p.Key}", Operation: o.Value!))).ToList();

        Assert.Contains(operations, o => o.Route == "post /api/v1/runs");
        Assert.Contains(operations, o => o.Route == "post /api/worker/sync");
        Assert.Equal([], operations.Where(o => string.IsNullOrEmpty((string?)o.Operation["summary"])).Select(o => o.Route));
    }

    [Fact]
    public async Task What_may_be_null_is_left_out_and_a_number_is_no_object()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        var document = JsonNode.Parse(await service.Http.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative)))!;

        var page = document["components"]!["schemas"]!["PageOfRunSummary"]!;
        var loss = document["components"]!["schemas"]!["RunSummary"]!["properties"]!["loss"]!;

        Assert.Equal(["items", "total"], page["required"]!.AsArray().Select(name => (string)name!));
        Assert.Null(loss["type"]);
        Assert.Equal("number", (string?)loss["anyOf"]![0]!["type"]);
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Directory.Packages.props")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("the repository's root was not found");
        }

        return folder.FullName;
    }
}
