using System.Text.Json;
using Hearth.Api;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>The client commands as a person types them.</summary>
[Collection(PoolCollection.Name)]
public sealed class CommandTests(PoolFixture fixture)
{
    [Fact]
    public async Task A_run_is_submitted_watched_and_cancelled_by_its_number()
    {
        string file = await WriteAsync(Json.Pretty, PoolFixture.Spec("typed", steps: 1_000_000));

        string submitted = await RunAsync(0, "runs", "submit", file);
        string number = submitted.Split(' ')[0];
        var shown = JsonSerializer.Deserialize<RunDetail>(await RunAsync(0, "runs", "show", number, "--json"), Json.Wire)!;
        await PoolFixture.TrainedAsync(new Cli.Pool.RunWatch(fixture.Api, shown.Summary.Id), 1);
        string cancelled = await RunAsync(0, "runs", "cancel", number);
        string logs = await RunAsync(0, "runs", "logs", number, "--follow");

        Assert.StartsWith("r-", number, StringComparison.Ordinal);
        Assert.Equal("typed", shown.Summary.Name);
        Assert.Equal("cancelled", cancelled.Trim());
        Assert.NotEmpty(logs);
        Assert.Contains("typed", await RunAsync(0, "runs", "list", "--state", "cancelled"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_wrong_field_is_one_line_in_the_apis_words()
    {
        var spec = PoolFixture.Spec("wrong") with
        {
            Data = new DataSpec { Dataset = "nowhere", SeqLen = 512 },
            Train = new TrainSpec { BatchTokens = 4096, MicroBatch = 8 },
        };

        string said = await RunAsync(2, "runs", "submit", await WriteAsync(Json.Pretty, spec));

        Assert.Contains("512 is over Qovaryx nano's longest, 256. Allowed: 8 to 256.", said, StringComparison.Ordinal);
        Assert.All(said.Trim().Split('\n'), line => Assert.Matches("^(data|model)\\.", line));
    }

    public static TheoryData<string, string, string, string> OwnFields => new()
    {
        { "qovaryx", "  ffn_kind: ternary_swiglu", "  n_head: 5", "model.n_head 5 does not divide model.d_model 64." },
        { "moa", "  metric: l2", "  router_topk: 1", "model.router_topk is 1. Allowed: 0, 2." },
        { "positronic", "  rings: [2, 3]", "  rings: 2, 3", "model.rings is 2, 3. Allowed: a list of whole numbers, 1 to 65,536." },
        { "hybrid", "  attn_layers: [1, 4]", "  attn_layers: [1, 9]", "model.attn_layers is 1, 9. Allowed: 0 to 4, each once." },
        { "vuaf", "  loop_steps: 3", "  halt_prior: steep", "model.halt_prior is steep. Allowed: uniform, geometric." },
    };

    [Theory]
    [MemberData(nameof(OwnFields))]
    public async Task A_familys_recipe_is_written_out_and_submitted_with_a_field_of_its_own_or_refused_by_its_sentence(string family, string right, string wrong, string sentence)
    {
        string recipe = await RunAsync(0, "runs", "new", family, "nano", "--dataset", PoolFixture.Dataset);
        string file = Path.Combine(fixture.Pool.DataPath, $"{family}.yaml");

        await File.WriteAllTextAsync(file, recipe.Replace("model:\n", $"model:\n{wrong}\n", StringComparison.Ordinal));
        Assert.Contains(sentence, await RunAsync(2, "runs", "submit", file), StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, recipe.Replace("model:\n", $"model:\n{right}\n", StringComparison.Ordinal));
        string number = (await RunAsync(0, "runs", "submit", file)).Split(' ')[0];
        await RunAsync(0, "runs", "cancel", number);
        var shown = JsonSerializer.Deserialize<RunDetail>(await RunAsync(0, "runs", "show", number, "--json"), Json.Wire)!;
        Assert.Equal((family, "nano", RunState.Cancelled), (shown.Summary.Family, shown.Summary.Size, shown.Summary.State));
        Assert.True(shown.Spec.GetProperty("model").TryGetProperty(right.Trim().Split(':')[0], out _), "the own field is not in the run");
    }

    [Fact]
    public async Task The_pool_its_datasets_and_its_tokens_are_listed_and_a_new_token_works_until_it_is_revoked()
    {
        Assert.Contains("local/0", await RunAsync(0, "workers", "list"), StringComparison.Ordinal);
        Assert.Contains(PoolFixture.Dataset, await RunAsync(0, "datasets", "list"), StringComparison.Ordinal);
        Assert.NotEmpty(JsonSerializer.Deserialize<JoinCodeView>(await RunAsync(0, "workers", "join-code", "--json"), Json.Wire)!.Code);

        var token = JsonSerializer.Deserialize<TokenView>(await RunAsync(0, "tokens", "create", "reader", "--role", "view", "--json"), Json.Wire)!;
        Assert.Contains("reader", await RunAsync(0, "tokens", "list"), StringComparison.Ordinal);
        await RunWithTokenAsync(token.Secret!, 0, "runs", "list");
        await RunWithTokenAsync(token.Secret!, 4, "tokens", "list");
        await RunAsync(0, "tokens", "revoke", token.Id.ToString());
        await RunWithTokenAsync(token.Secret!, 4, "runs", "list");
    }

    [Fact]
    public async Task A_schedule_is_made_of_a_runs_file_listed_switched_and_deleted_and_a_wrong_one_is_refused_by_its_field()
    {
        string file = await WriteAsync(Json.Pretty, PoolFixture.Spec("by-the-clock"));

        Assert.Contains("zone is Europe/Atlantis.", await RunAsync(2, "schedules", "create", "nightly", file, "--cron", "30 2 * * *", "--zone", "Europe/Atlantis"), StringComparison.Ordinal);
        Assert.Contains("cron is 30 25 * * *:", await RunAsync(2, "schedules", "create", "nightly", file, "--cron", "30 25 * * *"), StringComparison.Ordinal);
        Assert.Contains("data.dataset", await RunAsync(2, "schedules", "create", "nightly", await WriteAsync(Json.Pretty, PoolFixture.Spec("of-nothing") with { Data = new DataSpec { Dataset = "nowhere" } }), "--cron", "30 2 * * *"), StringComparison.Ordinal);
        Assert.StartsWith("nightly: next at ", await RunAsync(0, "schedules", "create", "nightly", file, "--cron", "30 2 * * *", "--zone", "Europe/Vienna", "--overlap"), StringComparison.Ordinal);
        Assert.Contains("Another schedule is called nightly.", await RunAsync(1, "schedules", "create", "nightly", file, "--cron", "0 * * * *"), StringComparison.Ordinal);

        var made = Assert.Single(JsonSerializer.Deserialize<ScheduleView[]>(await RunAsync(0, "schedules", "list", "--json"), Json.Wire)!);
        Assert.Equal(("nightly", "30 2 * * *", "Europe/Vienna", false, true), (made.Name, made.Cron, made.Zone, made.SkipWhileRunning, made.Enabled));
        Assert.Equal((2, 30), (TimeZoneInfo.ConvertTime(made.NextAt!.Value, TimeZoneInfo.FindSystemTimeZoneById("Europe/Vienna")).Hour, made.NextAt.Value.Minute));
        Assert.Equal("nightly: off", (await RunAsync(0, "schedules", "disable", "nightly")).Trim());
        Assert.StartsWith("nightly: next at ", await RunAsync(0, "schedules", "enable", "nightly"), StringComparison.Ordinal);
        await RunAsync(0, "schedules", "delete", "nightly");
        Assert.Contains("No schedule is called nightly.", await RunAsync(2, "schedules", "disable", "nightly"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_that_is_not_there_is_named() =>
        Assert.Contains("No run is called r-999999.", await RunAsync(2, "runs", "show", "r-999999"), StringComparison.Ordinal);

    private Task<string> RunAsync(int code, params string[] arguments) => RunWithTokenAsync(fixture.Pool.AdminToken, code, arguments);

    private async Task<string> RunWithTokenAsync(string token, int code, params string[] arguments)
    {
        var environment = new Dictionary<string, string> { ["HEARTH_URL"] = fixture.Pool.Address.ToString(), ["HEARTH_TOKEN"] = token };
        await using var command = CliProcess.Start(environment, arguments);
        int got = await command.ExitCodeAsync();
        Assert.True(code == got, $"{string.Join(' ', arguments)} gave {got}, not {code}: {command.Text}");
        return command.Text;
    }

    private async Task<string> WriteAsync(JsonSerializerOptions options, RunSpec spec)
    {
        string path = Path.Combine(fixture.Pool.DataPath, $"{spec.Name}.yaml");
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(spec, options));
        return path;
    }
}
