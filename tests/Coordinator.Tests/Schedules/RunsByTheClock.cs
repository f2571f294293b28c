using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hearth.Api;
using Hearth.Tests.Jobs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Schedules;

[Collection(SharedPostgres.Name)]
public sealed class RunsByTheClock(PostgresServer postgres)
{
    // Never due by itself while a test runs; tests say how long ago it was armed.
    private const string Yearly = "0 0 1 1 *";

    [Fact]
    public async Task A_fire_is_one_run_and_the_next_is_skipped_while_that_runs_and_submitted_once_it_has_ended()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(database);
        await service.AddDatasetAsync();
        var made = await CreateAsync(service, "nightly");

        await MissedAsync(database, "3 years");
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => DoingJobs.RunAsync(service, "schedules")));
        var run = Assert.Single(await RunsAsync(service));
        var first = await FindAsync(service, made);
        Assert.StartsWith($"Submitted r-{run.Number}. It was due at {DateTime.UtcNow.Year}-01-01 00:00 UTC.", first.LastResult, StringComparison.Ordinal);
        Assert.Equal(run.Id, first.LastRunId);

        // What was noted is lost, as when a coordinator died before it noted it: the fire is still that one run.
        await MissedAsync(database, "3 years");
        await DoingJobs.RunAsync(service, "schedules");
        Assert.Equal((run.Id, first.LastRunId), (Assert.Single(await RunsAsync(service)).Id, (await FindAsync(service, made)).LastRunId));

        // Another time of the clock, while the run waits: its own, an hour ago.
        await AnotherTimeAsync(database);
        await DoingJobs.RunAsync(service, "schedules");
        var skipped = await FindAsync(service, made);
        Assert.StartsWith($"Skipped, because r-{run.Number} is still queued.", skipped.LastResult, StringComparison.Ordinal);
        Assert.Null(skipped.LastRunId);
        Assert.Single(await RunsAsync(service));

        await service.ActAsync(run, "cancel");
        await AnotherTimeAsync(database);
        await DoingJobs.RunAsync(service, "schedules");
        Assert.Equal(2, (await RunsAsync(service)).Count);
    }

    [Fact]
    public async Task A_run_that_would_be_refused_is_refused_when_the_schedule_is_made_and_later_by_its_sentence()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(database);
        using var early = await service.PostAsync("/api/v1/schedules", Request("nightly"));
        Assert.Equal(["data.dataset"], (await early.ErrorsAsync()).Select(e => e.Field));

        await service.AddDatasetAsync();
        var made = await CreateAsync(service, "nightly");
        await using (var source = NpgsqlDataSource.Create(database))
        {
            await using var gone = source.CreateCommand("update datasets set name = 'other'; update schedules set armed_at = now() - interval '3 years'");
            await gone.ExecuteNonQueryAsync();
        }

        await DoingJobs.RunAsync(service, "schedules");

        Assert.StartsWith("Refused: No dataset is called docs. Allowed: other.", (await FindAsync(service, made)).LastResult, StringComparison.Ordinal);
        Assert.Empty(await RunsAsync(service));
    }

    [Fact]
    public async Task Schedules_are_made_changed_switched_and_deleted_by_name_and_lookers_may_only_look()
    {
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync());
        await service.AddDatasetAsync();
        await CreateAsync(service, "nightly");
        var other = await CreateAsync(service, "weekly");

        using var again = await service.PostAsync("/api/v1/schedules", Request("nightly"));
        Assert.Equal((HttpStatusCode.Conflict, "Another schedule is called nightly. Give a name that is free."), (again.StatusCode, await again.DetailAsync()));
        using var off = await service.PostAsync("/api/v1/schedules/weekly/disable");
        Assert.Null((await off.Content.ReadFromJsonAsync<ScheduleView>(Json.Wire))!.NextAt);
        using var put = await service.Http.PutAsync(
            new Uri($"/api/v1/schedules/{other.Id}", UriKind.Relative), JsonContent.Create(Request("monthly", "0 4 1 * *", "Europe/Vienna"), options: Json.Wire));
        var changed = (await put.Content.ReadFromJsonAsync<ScheduleView>(Json.Wire))!;
        Assert.Equal((other.Id, "monthly", "0 4 1 * *", "Europe/Vienna", true), (changed.Id, changed.Name, changed.Cron, changed.Zone, changed.Enabled));
        Assert.NotNull(changed.NextAt);

        using var token = await service.PostAsync("/api/v1/tokens", new CreateToken("looker", "view", null));
        using var looker = service.Client((await token.Content.ReadFromJsonAsync<TokenView>(Json.Wire))!.Secret);
        using var refused = await looker.DeleteAsync(new Uri("/api/v1/schedules/nightly", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal(["monthly", "nightly"], (await looker.GetFromJsonAsync<ScheduleView[]>("/api/v1/schedules", Json.Wire))!.Select(s => s.Name));
        using var deleted = await service.Http.DeleteAsync(new Uri("/api/v1/schedules/nightly", UriKind.Relative));
        using var unknown = await service.Http.DeleteAsync(new Uri("/api/v1/schedules/nightly", UriKind.Relative));
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NotFound), (deleted.StatusCode, unknown.StatusCode));
    }

    [Fact]
    public async Task A_schedule_that_is_off_does_not_fire_and_one_that_is_switched_on_makes_up_for_nothing()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(database);
        await service.AddDatasetAsync();
        await CreateAsync(service, "nightly");
        using var off = await service.PostAsync("/api/v1/schedules/nightly/disable");
        await MissedAsync(database, "3 years");
        await DoingJobs.RunAsync(service, "schedules");
        using var on = await service.PostAsync("/api/v1/schedules/nightly/enable");
        var done = await DoingJobs.RunAsync(service, "schedules");

        Assert.Empty(await RunsAsync(service));
        Assert.Equal("0 of 1 schedules were due.", done.LastResult);
    }

    [Fact]
    public async Task A_schedule_whose_zone_this_host_does_not_know_says_so_and_keeps_nobody_from_the_others()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(database);
        await service.AddDatasetAsync();
        await CreateAsync(service, "elsewhere");
        await CreateAsync(service, "nightly");
        await using (var source = NpgsqlDataSource.Create(database))
        {
            await using var moved = source.CreateCommand("update schedules set zone = 'Mars/Olympus' where name = 'elsewhere'; update schedules set armed_at = now() - interval '3 years'");
            await moved.ExecuteNonQueryAsync();
        }

        var done = await DoingJobs.RunAsync(service, "schedules");

        var all = (await service.Http.GetFromJsonAsync<ScheduleView[]>("/api/v1/schedules", Json.Wire))!;
        Assert.Equal((null, "It never comes: zone is Mars/Olympus, which this host does not know."), (all[0].NextAt, all[0].LastResult));
        Assert.StartsWith("Submitted r-", all[1].LastResult, StringComparison.Ordinal);
        Assert.Contains("zone is Mars/Olympus", done.LastResult, StringComparison.Ordinal);
        using var deleted = await service.Http.DeleteAsync(new Uri("/api/v1/schedules/elsewhere", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
    }

    [Fact]
    public async Task Two_coordinators_make_one_run_of_a_fire()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var cluster = await CoordinatorCluster.StartAsync(database, 2);
        await cluster.Members[0].AddDatasetAsync();
        await CreateAsync(cluster.Members[0], "nightly");
        await MissedAsync(database, "3 years");

        await Task.WhenAll(cluster.Members.Select(m => DoingJobs.RunAsync(m, "schedules")));

        Assert.Single(await RunsAsync(cluster.Members[1]));
    }

    private static SaveSchedule Request(string name, string cron = Yearly, string? zone = null) =>
        new(name, JsonSerializer.SerializeToElement<JsonNode>(Pool.Spec(name), Json.Wire), cron, zone);

    private static async Task<ScheduleView> CreateAsync(CoordinatorProcess service, string name)
    {
        using var response = await service.PostAsync("/api/v1/schedules", Request(name));
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<ScheduleView>(Json.Wire))!;
    }

    private static async Task<ScheduleView> FindAsync(CoordinatorProcess service, ScheduleView schedule) =>
        (await service.Http.GetFromJsonAsync<ScheduleView>($"/api/v1/schedules/{schedule.Id}", Json.Wire))!;

    private static async Task<IReadOnlyList<RunSummary>> RunsAsync(CoordinatorProcess service) => (await service.Http.GetFromJsonAsync<Page<RunSummary>>("/api/v1/runs", Json.Wire))!.Items;

    // As if it had been armed then, and nothing dealt with since.
    private static Task MissedAsync(string database, string ago) =>
        ExecuteAsync(database, $"update schedules set armed_at = now() - interval '{ago}', last_fire_at = null, last_result = null, last_run_id = null");

    // As if the fire that was dealt with had been that of the year before.
    private static Task AnotherTimeAsync(string database) => ExecuteAsync(
        database,
        """
        update schedules set last_fire_at = last_fire_at - interval '1 year';
        update runs set idempotency_key = replace(idempotency_key, extract(year from now())::text || '-', (extract(year from now()) - 1)::text || '-')
        """);

    private static async Task ExecuteAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(database);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
