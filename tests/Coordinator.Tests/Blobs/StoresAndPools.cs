using Hearth.Coordinator.Blobs;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Blobs;

/// <summary>A store and a database that belong together, are kept apart, or lose each other.</summary>
[Collection(SharedPostgres.Name)]
public sealed class StoresAndPools(PostgresServer postgres) : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("hearth-pools-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task Another_database_over_an_old_folder_is_refused_by_both_names_and_touches_nothing()
    {
        string first = await postgres.CreateDatabaseAsync(), second = await postgres.CreateDatabaseAsync();
        string tokenFile = Path.Combine(_data, "admin.token");
        await using (var service = await StartAsync(first, null, ("HEARTH_ADMIN_TOKEN_FILE", tokenFile)))
        {
        }

        string token = await File.ReadAllTextAsync(tokenFile);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(second, null, ("HEARTH_ADMIN_TOKEN_FILE", tokenFile)));

        Assert.Contains($"belongs to the pool {await PoolAsync(first)}, and this database to the pool {await PoolAsync(second)}", refused.Message, StringComparison.Ordinal);
        Assert.Equal(token, await File.ReadAllTextAsync(tokenFile));
        await using var again = await StartAsync(first, token.Trim(), ("HEARTH_ADMIN_TOKEN_FILE", tokenFile));
    }

    [Fact]
    public async Task A_token_file_of_another_database_is_not_overwritten()
    {
        string database = await postgres.CreateDatabaseAsync(), tokenFile = Path.Combine(_data, "admin.token");
        await File.WriteAllTextAsync(tokenFile, "hth_of_somebody_else\n");

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(database, null, ("HEARTH_ADMIN_TOKEN_FILE", tokenFile)));

        Assert.Contains($"HEARTH_ADMIN_TOKEN_FILE is {tokenFile}, which exists", refused.Message, StringComparison.Ordinal);
        Assert.Equal("hth_of_somebody_else\n", await File.ReadAllTextAsync(tokenFile));
        File.Delete(tokenFile);
        await using var service = await StartAsync(database, "of the file", ("HEARTH_ADMIN_TOKEN_FILE", tokenFile));
        Assert.StartsWith("hth_", await File.ReadAllTextAsync(tokenFile), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_is_adopted_when_its_pool_is_named_and_its_blobs_are_never_swept()
    {
        string first = await postgres.CreateDatabaseAsync(), second = await postgres.CreateDatabaseAsync();
        await using (var service = await StartAsync(first))
        {
            await service.AddDatasetAsync();
        }

        string blob = Assert.Single(Directory.EnumerateFiles(Path.Combine(_data, "store", "blobs"), "*", SearchOption.AllDirectories));
        await using (var service = await StartAsync(second, null, ("HEARTH_ADOPT_STORE", (await PoolAsync(first)).ToString())))
        {
            // The same content: announced and referred to here, but there before; then given up.
            await service.AddDatasetAsync();
            await using var database = NpgsqlDataSource.Create(second);
            await ExecuteAsync(database, "delete from datasets; update blobs set wanted_at = now() - interval '2 hours', quarantined_at = now() - interval '2 days'");

            using var swept = await service.PostAsync("/api/v1/blobs/sweep");
            swept.EnsureSuccessStatusCode();
        }

        Assert.True(File.Exists(blob));
        Assert.Contains((await PoolAsync(second)).ToString(), await File.ReadAllTextAsync(Path.Combine(_data, "store", StoreIdentity.FileName)), StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(first));
    }

    [Fact]
    public async Task With_the_store_gone_a_run_waits_with_a_reason_and_goes_on_from_its_newest_checkpoint_once_it_is_back()
    {
        string database = await postgres.CreateDatabaseAsync(), store = Path.Combine(_data, "store"), away = Path.Combine(_data, "unmounted");
        await using var service = await StartAsync(database, null, ("HEARTH_LEASE_SECONDS", "3"));
        await service.AddDatasetAsync();
        await using var worker = await FakeWorker.JoinAsync(service, "studio");
        var run = await service.SubmitAsync(Pool.Spec());
        var first = await worker.AttemptAsync();
        await worker.CheckpointAsync(first.Assignment.Lease, 10, "ten");
        var late = await worker.CheckpointAsync(first.Assignment.Lease, 20, "twenty");

        // The store falls off; the attempt is lost, the next one finds nothing there and says so.
        Directory.Move(store, away);
        await Eventually.TrueAsync(() => Task.FromResult(service.Output.Any(l => l.Contains("is its disk mounted?", StringComparison.Ordinal))), "the coordinator sees that the store is gone");
        worker.End(first, AttemptState.Failed, 20, FailureCodes.CorruptCheckpoint, "model.safetensors: the store no longer has it.");
        var waiting = await Eventually.GetAsync(
            () => service.DetailAsync(run.Id), d => d.Summary is { State: RunState.Queued, Reason: { } why } && why.Contains("is its disk mounted?", StringComparison.Ordinal), "the run waits for the store");

        Assert.All(waiting.Checkpoints, c => Assert.Equal("kept", c.Status));
        Assert.False(Directory.Exists(store), "something was written to the mount point");

        Directory.Move(away, store);
        var second = await worker.AttemptAsync();
        Assert.Equal(late, second.Assignment.CheckpointId);
        Assert.Equal(20, (await service.DetailAsync(run.Id)).Attempts.OrderBy(a => a.Number).Last().FirstStep);
    }

    [Fact]
    public async Task A_coordinator_starts_without_its_store_and_answers_503_until_it_is_there()
    {
        string database = await postgres.CreateDatabaseAsync(), store = Path.Combine(_data, "store"), away = Path.Combine(_data, "unmounted");
        string token;
        await using (var service = await StartAsync(database))
        {
            token = service.AdminToken;
            await service.AddDatasetAsync();
        }

        Directory.Move(store, away);
        await using var again = await StartAsync(database, token);
        using var refused = await again.Http.PostAsync(new Uri("/api/v1/datasets?name=more&license=ours&kind=jsonl", UriKind.Relative), new StringContent("{\"text\": \"a\"}\n{\"text\": \"b\"}\n"));

        Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Contains("is its disk mounted?", await refused.DetailAsync(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(store));
        Directory.Move(away, store);
        await again.AddDatasetAsync("more");
    }

    private Task<CoordinatorProcess> StartAsync(string database, string? token = null, params (string, string)[] settings) =>
        CoordinatorProcess.StartAsync(database, token ?? (settings.Any(s => s.Item1 == "HEARTH_ADMIN_TOKEN_FILE") ? "in a file" : null), [("HEARTH_DATA", _data), .. settings]);

    private static async Task<Guid> PoolAsync(string connection)
    {
        await using var database = NpgsqlDataSource.Create(connection);
        await using var command = database.CreateCommand("select id from pool");
        return (Guid)(await command.ExecuteScalarAsync())!;
    }

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
