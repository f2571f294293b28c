using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Events;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Checkpoints;

[Collection(SharedPostgres.Name)]
public sealed class CheckpointTests(DataService data) : IClassFixture<DataService>
{
    [Fact]
    public async Task A_checkpoint_exists_once_its_blobs_do_and_shared_blobs_are_sent_once()
    {
        using var attempt = await data.PlaceAsync();
        string tokenizer = Unique("tokenizer");
        (string, string)[] first = [("weights", Unique("w")), ("tokenizer.json", tokenizer)], second = [("weights", Unique("w")), ("tokenizer.json", tokenizer)];
        using var early = await attempt.PostAsync("checkpoints", attempt.Commit(10, first));
        string words = await early.Content.ReadAsStringAsync();

        Assert.Equal(2, await attempt.UploadAsync(first));
        var one = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(10, first));
        Assert.Equal(1, await attempt.UploadAsync(second));
        var two = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(20, second));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, early.StatusCode);
        Assert.Contains("weights (SHA-256", words, StringComparison.Ordinal);
        var list = await attempt.GetAsync<List<CheckpointView>>("checkpoints");
        Assert.Equal([(two.CheckpointId, 20L, "kept"), (one.CheckpointId, 10L, "kept")], list.Select(c => (c.Id, c.Step, c.Status)));
        Assert.Equal(["tokenizer.json", "weights"], list[0].Files.Select(f => f.Name));
    }

    [Fact]
    public async Task Committing_again_changes_nothing()
    {
        using var attempt = await data.PlaceAsync();
        (string, string)[] files = [("weights", Unique("w"))];
        await attempt.UploadAsync(files);

        var first = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(10, files));
        var again = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(10, files));

        Assert.Equal(first.CheckpointId, again.CheckpointId);
        Assert.Single(await attempt.GetAsync<List<CheckpointView>>("checkpoints"));
    }

    [Fact]
    public async Task Writes_under_an_old_epoch_of_an_ended_attempt_or_by_another_worker_are_answered_409()
    {
        using var attempt = await data.PlaceAsync();
        using var other = await data.PlaceAsync();
        (string, string)[] files = [("weights", Unique("w"))];
        await attempt.UploadAsync(files);
        async Task AssertFencedAsync(PlacedAttempt caller, Lease lease)
        {
            var commit = attempt.Commit(10, files) with { Lease = lease };
            foreach (var (route, body) in new (string, object)[]
            {
                ("uploads", new UploadsRequest(lease, commit.Manifest.Files)),
                ("checkpoints", commit),
                ("checkpoints", commit with { Manifest = commit.Manifest with { Files = [PlacedAttempt.File("weights", "never sent")] } }),
                ("checkpoints/failed", new CheckpointProblem(lease, null, 10, "late")),
                ("checkpoints/unreadable", new CheckpointProblem(lease, null, 10, "late")),
            })
            {
                using var response = await caller.PostAsync(route, body);
                Assert.Equal((route, HttpStatusCode.Conflict), (route, response.StatusCode));
            }
        }

        await AssertFencedAsync(attempt, attempt.Stale);
        await AssertFencedAsync(other, attempt.Lease);
        await attempt.EndAsync();
        await AssertFencedAsync(attempt, attempt.Lease);

        Assert.Empty(await attempt.GetAsync<List<CheckpointView>>("checkpoints"));
        Assert.Equal(0, await data.CountAsync("run_notes", attempt.RunId));
    }

    [Fact]
    public async Task An_end_of_the_attempt_comes_before_a_commit_or_after_it_but_never_in_between()
    {
        using var attempt = await data.PlaceAsync();
        (string, string)[] files = [("weights", Unique("w"))];
        await attempt.UploadAsync(files);

        // The commit has written its row and waits for its turn to tell the stream, as behind any other writer.
        await using var stream = await data.Database.OpenConnectionAsync();
        await using var telling = await stream.BeginTransactionAsync();
        await ExecuteAsync(stream, telling, $"select pg_advisory_xact_lock({EventLog.OrderLock})");
        var commit = attempt.PostAsync("checkpoints", attempt.Commit(10, files));
        await Eventually.TrueAsync(() => data.ScalarAsync<bool>("select exists (select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database()))"), "the commit waits");

        // Its lease runs out now. The end has to wait for the commit; were it let through, a stale epoch's checkpoint would follow it.
        await using var scheduler = await data.Database.OpenConnectionAsync();
        await using var expiry = await scheduler.BeginTransactionAsync();
        await ExecuteAsync(scheduler, expiry, "set local lock_timeout = '300ms'");
        var waited = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(scheduler, expiry, $"update attempts set ended_at = now(), state = 'lost' where id = '{attempt.Lease.AttemptId}'"));
        Assert.Equal(PostgresErrorCodes.LockNotAvailable, waited.SqlState);

        await telling.CommitAsync();
        Assert.Equal(HttpStatusCode.OK, (await commit).StatusCode);
    }

    [Fact]
    public async Task A_commit_that_meets_an_end_under_way_waits_for_it_and_is_refused()
    {
        using var attempt = await data.PlaceAsync();
        (string, string)[] files = [("weights", Unique("w"))];
        await attempt.UploadAsync(files);
        await using var scheduler = await data.Database.OpenConnectionAsync();
        await using var expiry = await scheduler.BeginTransactionAsync();
        await ExecuteAsync(scheduler, expiry, $"select 1 from runs where id = '{attempt.RunId}' for update");
        await ExecuteAsync(scheduler, expiry, $"update attempts set ended_at = now(), state = 'lost' where id = '{attempt.Lease.AttemptId}'");

        var commit = attempt.PostAsync("checkpoints", attempt.Commit(10, files));
        await Eventually.TrueAsync(() => data.ScalarAsync<bool>("select exists (select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"), "the commit waits");
        await expiry.CommitAsync();

        Assert.Equal(HttpStatusCode.Conflict, (await commit).StatusCode);
        Assert.Empty(await attempt.GetAsync<List<CheckpointView>>("checkpoints"));
    }

    [Fact]
    public async Task A_checkpoint_that_could_not_be_stored_leaves_one_note()
    {
        using var attempt = await data.PlaceAsync();
        var problem = new CheckpointProblem(attempt.Lease, null, 1500, "the disk is full");

        (await attempt.PostAsync("checkpoints/failed", problem)).EnsureSuccessStatusCode();
        (await attempt.PostAsync("checkpoints/failed", problem)).EnsureSuccessStatusCode();

        Assert.Equal(
            "The checkpoint of step 1,500 could not be stored: the disk is full. Training goes on; an earlier one still stands.",
            await data.ScalarAsync<string>("select string_agg(text, '|') from run_notes where run_id = $1", attempt.RunId));
    }

    [Fact]
    public async Task Surplus_checkpoints_go_and_the_best_one_stays()
    {
        using var attempt = await data.PlaceAsync(keepLast: 1);
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        (await attempt.PostAsync("metrics", new MetricsRequest(attempt.Lease, 1, [new MetricChunk("validation_loss", [10, 20, 30], [2.0f, 1.0f, 3.0f], [now, now, now])], []))).EnsureSuccessStatusCode();

        await CommitAsync(attempt, 10, ("weights", Unique("w")));
        var second = await CommitAsync(attempt, 20, ("weights", Unique("w")));
        var third = await CommitAsync(attempt, 30, ("weights", Unique("w")));
        var fourth = await CommitAsync(attempt, 40, ("weights", Unique("w")));

        Assert.Equal([10L], second.RemovedSteps);
        Assert.Empty(third.RemovedSteps);
        Assert.Equal([30L], fourth.RemovedSteps);
        Assert.Equal(["kept", "removed", "kept", "removed"], (await attempt.GetAsync<List<CheckpointView>>("checkpoints")).Select(c => c.Status));
    }

    [Fact]
    public async Task A_file_is_downloaded_under_its_own_name()
    {
        using var attempt = await data.PlaceAsync();
        string content = Unique("state");
        var made = await CommitAsync(attempt, 10, ("state.json", content));

        using var response = await data.Service.Http.GetAsync(new Uri($"/api/v1/runs/{attempt.RunId}/checkpoints/{made.CheckpointId}/files/state.json", UriKind.Relative));

        Assert.Equal(content, await response.Content.ReadAsStringAsync());
        Assert.Equal("state.json", response.Content.Headers.ContentDisposition!.FileName);
    }

    [Theory]
    [InlineData("../weights", "manifest.files[0].name")]
    [InlineData("a\\b", "manifest.files[0].name")]
    [InlineData("", "manifest.files[0].name")]
    public async Task A_name_that_leads_out_of_the_folder_is_refused_by_field(string name, string field)
    {
        using var attempt = await data.PlaceAsync();

        using var response = await attempt.PostAsync("checkpoints", attempt.Commit(10, (name, "content")));

        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(field, problem.GetProperty("errors")[0].GetProperty("field").GetString());
    }

    private static string Unique(string prefix) => $"{prefix} {Guid.NewGuid()}";

    private static async Task<CheckpointCommitted> CommitAsync(PlacedAttempt attempt, long step, params (string Name, string Content)[] files)
    {
        await attempt.UploadAsync(files);
        return await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(step, files));
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        await command.ExecuteNonQueryAsync();
    }
}
