using System.Net;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

/// <summary>
/// Machines whose clocks are an hour off. A coordinator's is made so from the other side: every clock that its database answers with is moved, which is the same to all
/// that compares the two. A worker's is what it sends.
/// </summary>
[Collection(SharedPostgres.Name)]
public sealed class SkewedClocks(PostgresServer postgres)
{
    private static readonly (string, string) LeaseSeconds = ("HEARTH_LEASE_SECONDS", "3");

    [Theory]
    [InlineData(-60)]
    [InlineData(60)]
    public async Task A_coordinator_an_hour_off_keeps_leases_takes_uploads_and_ends_its_runs(int minutes)
    {
        string connection = await MovedAsync(minutes);
        await using var service = await CoordinatorProcess.StartAsync(connection, null, LeaseSeconds);
        await using var database = NpgsqlDataSource.Create(connection);
        await service.AddDatasetAsync();
        var run = await service.SubmitAsync(Pool.Spec());
        var first = await FakeWorker.JoinAsync(service, "attic");
        var lost = await first.AttemptAsync();
        await service.WaitAsync(run, RunState.Running);

        // Longer than a lease is, with heartbeats and an address that was signed meanwhile.
        var began = await NowAsync(database);
        var checkpoint = await first.CheckpointAsync(lost.Assignment.Lease, 40, $"weights {minutes}");
        await Eventually.TrueAsync(async () => await NowAsync(database) > began + TimeSpan.FromSeconds(4), "a lease and more has passed");
        Assert.Equal((RunState.Running, 1), Of(await service.DetailAsync(run.Id)));

        // A silent worker loses its lease after three seconds, not at once and not in an hour.
        await first.FallSilentAsync();
        await using var second = await FakeWorker.JoinAsync(service, "studio");
        var attempt = await second.AttemptAsync();
        Assert.Equal(checkpoint, attempt.Assignment.CheckpointId);
        using var http = service.Client(null);
        using var weights = await http.GetAsync(new Uri(attempt.Assignment.Checkpoint![0].Url, UriKind.RelativeOrAbsolute));
        Assert.Equal(HttpStatusCode.OK, weights.StatusCode);
        second.End(attempt, AttemptState.Succeeded, 100);
        var done = await service.WaitAsync(run, RunState.Succeeded);

        // What people are shown are times of one clock.
        Assert.InRange(done.Summary.EndedAt!.Value, began, await NowAsync(database));
        Assert.All(done.Attempts, a => Assert.InRange(a.EndedAt!.Value, began, done.Summary.EndedAt!.Value));
        await first.DisposeAsync();

        static (RunState, int) Of(RunDetail detail) => (detail.Summary.State, detail.Attempts.Count);
    }

    [Theory]
    [InlineData(-60)]
    [InlineData(60)]
    public async Task A_workers_points_and_lines_of_an_hour_off_are_taken_and_drawn_and_those_of_two_days_are_refused_in_a_sentence(int minutes)
    {
        string connection = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(connection);
        await using var database = NpgsqlDataSource.Create(connection);
        using var attempt = await PlacedAttempt.CreateAsync(service, database, "docs", 3);
        var told = DateTimeOffset.UtcNow.AddMinutes(minutes);
        long[] steps = [.. Enumerable.Range(1, 50).Select(s => (long)s)], times = [.. steps.Select(s => told.ToUnixTimeMilliseconds() + s)];

        var taken = await attempt.PostAsync<MetricsTaken>("metrics", new MetricsRequest(attempt.Lease, 1, [new MetricChunk("loss", steps, [.. steps.Select(s => 1f / s)], times)], []));
        using var logged = await attempt.PostAsync("logs", new LogsRequest(attempt.Lease, 1, [new LogLine(told, LogLevel.Info, "a line")]));
        var refused = await attempt.PostAsync<MetricsTaken>("metrics", new MetricsRequest(attempt.Lease, 2, [new MetricChunk("loss", [51], [0.1f], [told.AddMinutes(48 * minutes).ToUnixTimeMilliseconds()])], []));

        Assert.Equal((50, 0), (taken.Taken, taken.Refused));
        Assert.True(logged.IsSuccessStatusCode, await logged.Content.ReadAsStringAsync());
        Assert.Equal((0, 1), (refused.Taken, refused.Refused));
        Assert.Contains("loss has the time", Assert.Single(refused.Reasons), StringComparison.Ordinal);
        Assert.Contains("in milliseconds since 1970", refused.Reasons[0], StringComparison.Ordinal);
        var series = Assert.Single((await attempt.GetAsync<MetricsResponse>("metrics?points=1000")).Series, s => s.Key == "loss");
        Assert.Equal(steps, series.Steps);
        Assert.Equal(times, series.UnixMilliseconds);
        Assert.Equal("a line", Assert.Single((await attempt.GetAsync<LogsResponse>("logs")).Lines).Text);
        Assert.Equal(1, await attempt.UploadAsync(("model.safetensors", $"weights of a worker {minutes} minutes off")));
    }

    // Clocks that are found before PostgreSQL's own: by every connection, and by every default of a column.
    private async Task<string> MovedAsync(int minutes)
    {
        string connection = await postgres.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(connection);
        string Clock(string name, string kind) => $"create function {name}() returns timestamptz language sql {kind} as $$ select pg_catalog.{name}() + interval '{minutes} minutes' $$;";
        await using var command = database.CreateCommand(
            $"""
            {Clock("now", "stable")}
            {Clock("clock_timestamp", "volatile")}
            alter database {new NpgsqlConnectionStringBuilder(connection).Database} set search_path = public, pg_catalog;
            """);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    private static async Task<DateTimeOffset> NowAsync(NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand("select clock_timestamp()");
        return new DateTimeOffset((DateTime)(await command.ExecuteScalarAsync())!, TimeSpan.Zero);
    }
}
