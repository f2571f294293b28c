using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Runs;

[Collection(SharedPostgres.Name)]
public sealed class BeginningWhereItWasDecided(PostgresServer postgres) : IAsyncLifetime
{
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync());
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task An_attempt_keeps_the_checkpoint_that_it_was_placed_with_and_ends_when_that_is_no_longer_good()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        await using var database = NpgsqlDataSource.Create(_database);
        var run = await _service.SubmitAsync(Pool.Spec());
        var first = await AssignedAsync(worker);
        await worker.SyncAsync([new AttemptReport(first.Lease, AttemptState.Running, null, null, 12)]);
        var ten = await worker.CheckpointAsync(first.Lease, 10, "ten");
        await worker.SyncAsync(ended: [new AttemptEnd(first.Lease, AttemptState.Lost, 3, null, null, "The agent came back.")]);

        var second = await AssignedAsync(worker);
        await using var newer = database.CreateCommand(
            "insert into checkpoints select gen_random_uuid(), run_id, attempt_id, 20, 'newer', trace, bytes, 0, 0, 'kept' from checkpoints");
        await newer.ExecuteNonQueryAsync();
        var again = await AssignedAsync(worker);
        Assert.Equal((ten, second.Lease, ten), (second.CheckpointId, again.Lease, again.CheckpointId));

        await using var damaged = database.CreateCommand("update checkpoints set status = 'damaged' where step = 10");
        await damaged.ExecuteNonQueryAsync();
        var third = await AssignedAsync(worker, other: second.Lease);

        var detail = await _service.DetailAsync(run.Id);
        Assert.Equal([0, 10, 20], detail.Attempts.Select(a => a.FirstStep));
        Assert.Equal("Its checkpoint of step 10 is no longer good.", detail.Attempts[1].Message);
        Assert.NotEqual(ten, third.CheckpointId);
        Assert.Contains(detail.Notes, n => n.Text == "The agent came back. It was at about step 12; it goes on from step 10.");
    }

    private static async Task<Assignment> AssignedAsync(FakeWorker worker, Lease? other = null)
    {
        Assignment? found = null;
        await Eventually.TrueAsync(
            async () => (found = (await worker.SyncAsync())?.Assignments.SingleOrDefault(a => a.Lease != other)) is not null, "the worker is given an attempt");
        return found!;
    }
}
