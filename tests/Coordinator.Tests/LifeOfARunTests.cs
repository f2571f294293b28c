using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

[Collection(SharedPostgres.Name)]
public sealed class LifeOfARunTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly (string, string) LeaseSeconds = ("HEARTH_LEASE_SECONDS", "3");
    private string _database = "";
    private CoordinatorProcess _service = null!;

    public async Task InitializeAsync()
    {
        _service = await CoordinatorProcess.StartAsync(_database = await postgres.CreateDatabaseAsync(), null, LeaseSeconds);
        await _service.AddDatasetAsync();
    }

    public async Task DisposeAsync() => await _service.DisposeAsync();

    [Fact]
    public async Task A_run_is_placed_trained_and_done()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());

        var attempt = await worker.AttemptAsync();
        var running = await _service.WaitAsync(run, RunState.Running);
        worker.End(attempt, AttemptState.Succeeded, 100, trace: "00000000deadbeef");
        var done = await _service.WaitAsync(run, RunState.Succeeded);

        Assert.Equal((run.Id, "a-run", 1, 0, 16), (attempt.Assignment.RunId, attempt.Assignment.RunName, attempt.Assignment.Number, attempt.Assignment.DeviceIndex, attempt.Assignment.MicroBatch));
        Assert.Equal("nano", attempt.Assignment.Spec.Model.Size);
        Assert.Equal("dataset.jsonl", Assert.Single(attempt.Assignment.Dataset).Name);
        Assert.Null(attempt.Assignment.Prepared);
        Assert.Equal(("studio/0", "A card"), (running.Summary.Device, running.Summary.DeviceModel));
        Assert.Equal((100, "00000000deadbeef"), (done.Summary.Step, done.Trace));
        Assert.NotNull(done.Summary.EndedAt);
        var view = Assert.Single(done.Attempts);
        Assert.Equal((AttemptState.Succeeded, 100, "00000000deadbeef"), (view.State, view.LastStep, view.Trace));
        Assert.True(view.FirstHeartbeatAt <= view.FirstStepAt && view.FirstStepAt <= view.EndedAt);
        await Eventually.TrueAsync(() => Task.FromResult(worker.Acknowledged.Contains(view.Id)), "the end is acknowledged");
    }

    [Fact]
    public async Task What_a_run_held_is_told_and_the_next_of_its_kind_is_placed_by_it()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", gigabytes: 0.9);
        var run = await _service.SubmitAsync(Pool.Spec());
        worker.End(await worker.AttemptAsync(), AttemptState.Succeeded, 100, peak: 1200L << 20);
        var view = Assert.Single((await _service.WaitAsync(run, RunState.Succeeded)).Attempts);

        await _service.SubmitAsync(Pool.Spec("alike"));
        var alike = await worker.AttemptAsync();
        worker.End(alike, AttemptState.Stopped, 100, peak: 1L << 20);
        var again = await worker.AttemptAsync();

        Assert.Equal(1200L << 20, view.PeakBytes);
        Assert.InRange(view.ForecastBytes ?? 0, 1L << 20, 828L << 20);
        Assert.True(alike.Assignment.MicroBatch < 16, $"{alike.Assignment.MicroBatch} rows after a peak above the card");
        Assert.Equal(alike.Assignment.MicroBatch, again.Assignment.MicroBatch);
    }

    [Fact]
    public async Task A_silent_worker_loses_its_run_to_another_under_a_new_epoch_and_its_late_report_is_revoked()
    {
        var first = await FakeWorker.JoinAsync(_service, "attic");
        var run = await _service.SubmitAsync(Pool.Spec());
        var lost = await first.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);
        await using var second = await FakeWorker.JoinAsync(_service, "studio");

        await first.FallSilentAsync();
        var attempt = await second.AttemptAsync();

        var detail = await _service.WaitAsync(run, RunState.Running);
        Assert.True(attempt.Assignment.Lease.Epoch > lost.Assignment.Lease.Epoch);
        Assert.Equal([AttemptState.Lost, AttemptState.Running], detail.Attempts.Select(a => a.State));
        Assert.Contains(detail.Notes, n => n is { Kind: "lost" } && n.Text.StartsWith("attic/0 went silent.", StringComparison.Ordinal));

        await using var back = first.MoveTo(_service);
        var late = await back.SyncAsync([new AttemptReport(lost.Assignment.Lease, AttemptState.Running, null, null, 9)], [], 0);
        Assert.Equal([lost.Assignment.Lease.AttemptId], late!.Revoked);
        await first.DisposeAsync();
    }

    [Fact]
    public async Task A_lost_run_goes_on_from_its_newest_checkpoint_and_when_the_store_has_damaged_that_from_the_one_before()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var first = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);
        var early = await worker.CheckpointAsync(first.Assignment.Lease, 10, "ten");
        var late = await worker.CheckpointAsync(first.Assignment.Lease, 20, "twenty");

        worker.End(first, AttemptState.Lost, 25, message: "The trainer was killed.");
        var second = await worker.AttemptAsync();
        await File.WriteAllTextAsync(CoordinatorProcess.BlobPathOf(_database, "twenty"), "twentz");
        worker.End(second, AttemptState.Failed, 20, FailureCodes.CorruptCheckpoint, "model.safetensors does not match its digest.");
        var third = await worker.AttemptAsync();

        Assert.Equal((late, early), (second.Assignment.CheckpointId, third.Assignment.CheckpointId));
        Assert.Equal("model.safetensors", Assert.Single(third.Assignment.Checkpoint!).Name);
        var detail = await _service.WaitAsync(run, RunState.Running);
        Assert.Equal([0, 20, 10], detail.Attempts.Select(a => a.FirstStep));
        Assert.Equal(["damaged", "kept"], detail.Checkpoints.Select(c => c.Status));
        Assert.Contains(detail.Notes, n => n.Text == "The trainer was killed. It was at about step 25; it goes on from step 20.");
    }

    [Fact]
    public async Task A_stale_end_is_acknowledged_and_changes_nothing()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio", heartbeats: false);
        var run = await _service.SubmitAsync(Pool.Spec());
        var assignment = (await Eventually.GetAsync(() => worker.SyncAsync(), a => a!.Assignments.Count == 1, "an assignment comes"))!.Assignments[0];
        var stale = assignment.Lease with { Epoch = assignment.Lease.Epoch - 1 };

        var answer = await worker.SyncAsync([new AttemptReport(assignment.Lease, AttemptState.Running, null, null, 1)], [new AttemptEnd(stale, AttemptState.Failed, 5, null, FailureCodes.BadInput, "old")]);

        Assert.Equal([assignment.Lease.AttemptId], answer!.Acknowledged);
        Assert.Empty(answer.Revoked);
        Assert.Equal(RunState.Running, (await _service.DetailAsync(run.Id)).Summary.State);
    }

    [Fact]
    public async Task An_agent_that_comes_back_without_its_attempt_has_lost_it()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var first = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);

        worker.Attempts.Clear();
        var second = await Eventually.GetAsync(
            () => _service.DetailAsync(run.Id), d => d.Attempts.Count == 2 && d.Summary.State == RunState.Running, "it is placed again");

        Assert.Equal((AttemptState.Lost, "Its worker came back without it."), (second.Attempts[0].State, second.Attempts[0].Message));
        Assert.NotEqual(first.Assignment.Lease.AttemptId, (await worker.AttemptAsync()).Assignment.Lease.AttemptId);
    }

    [Fact]
    public async Task Pausing_stops_the_attempt_and_resuming_queues_it_again()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var attempt = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);

        Assert.Equal(RunState.Pausing, await _service.ActAsync(run, "pause"));
        await _service.WaitAsync(run, RunState.Paused);
        Assert.Equal(AttemptCommandKind.Stop, Assert.Single(attempt.Commands).Kind);

        Assert.Equal(RunState.Queued, await _service.ActAsync(run, "resume"));
        var again = await _service.WaitAsync(run, RunState.Running);
        Assert.Equal([AttemptState.Stopped, AttemptState.Running], again.Attempts.Select(a => a.State));
    }

    [Fact]
    public async Task Cancelling_kills_the_attempt_and_the_device_is_free_only_then()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        worker.Obeys = false;
        var run = await _service.SubmitAsync(Pool.Spec("first"));
        var attempt = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);
        var next = await _service.SubmitAsync(Pool.Spec("second"));

        Assert.Equal(RunState.Cancelled, await _service.ActAsync(run, "cancel"));
        await Eventually.TrueAsync(() => Task.FromResult(attempt.Commands.Any(c => c.Kind == AttemptCommandKind.Kill)), "the kill arrives");
        await Eventually.GetAsync(() => _service.DetailAsync(next.Id), d => d.Summary.Reason == "Fits only studio/0. first holds studio/0.", "the other waits for the device");

        worker.End(attempt, AttemptState.Stopped, 3);
        await _service.WaitAsync(next, RunState.Running);
        Assert.Equal(RunState.Cancelled, (await _service.DetailAsync(run.Id)).Summary.State);
        using var refused = await _service.PostAsync($"/api/v1/runs/r-{run.Number}/pause");
        Assert.Equal($"r-{run.Number} is cancelled; it cannot be paused.", await refused.DetailAsync());
    }

    [Fact]
    public async Task A_higher_priority_takes_the_device_and_the_other_comes_back_after_it()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var low = await _service.SubmitAsync(Pool.Spec("low", "low"));
        await worker.AttemptAsync();
        await _service.WaitAsync(low, RunState.Running);

        var high = await _service.SubmitAsync(Pool.Spec("high", "high"));
        await _service.WaitAsync(high, RunState.Running);
        var waiting = await Eventually.GetAsync(() => _service.DetailAsync(low.Id), d => d.Summary.Reason is not null, "the other says why it waits");
        Assert.Equal((RunState.Queued, "Fits only studio/0. high holds studio/0."), (waiting.Summary.State, waiting.Summary.Reason));

        worker.End(await worker.AttemptAsync(), AttemptState.Succeeded, 100);
        await _service.WaitAsync(low, RunState.Running);
    }

    [Fact]
    public async Task A_checkpoint_is_asked_for_once()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var attempt = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);

        await _service.ActAsync(run, "checkpoint");
        await _service.ActAsync(run, "pause");
        await _service.WaitAsync(run, RunState.Paused);

        Assert.Equal([AttemptCommandKind.Checkpoint, AttemptCommandKind.Stop], attempt.Commands.Select(c => c.Kind));
    }

    [Fact]
    public async Task Out_of_memory_halves_the_micro_batch_and_failures_end_after_the_allowed_retries()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec(maxRestarts: 1));

        worker.End(await worker.AttemptAsync(), AttemptState.Failed, 0, FailureCodes.OutOfMemory, "Out of memory.");
        var halved = await worker.AttemptAsync();
        worker.End(halved, AttemptState.Failed, 7, FailureCodes.Crashed, "Crashed once.");
        var retried = await worker.AttemptAsync();
        worker.End(retried, AttemptState.Failed, 8, FailureCodes.Crashed, "Crashed twice.");

        var failed = await _service.WaitAsync(run, RunState.Failed);
        Assert.Equal((8, 8), (halved.Assignment.MicroBatch, retried.Assignment.MicroBatch));
        Assert.Equal("Crashed twice.", failed.Summary.Reason);
        Assert.Equal(3, failed.Attempts.Count);
    }

    [Fact]
    public async Task Out_of_memory_at_one_row_recomputes_blocks_and_then_ends_with_the_trainers_sentence()
    {
        await using var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec(maxRestarts: 9));
        var attempt = await worker.AttemptAsync();
        List<int> rows = [];
        while (attempt.Assignment.Spec.Train.Recompute == "none")
        {
            rows.Add(attempt.Assignment.MicroBatch);
            worker.End(attempt, AttemptState.Failed, 0, FailureCodes.OutOfMemory, "Out of memory.");
            attempt = await worker.AttemptAsync();
        }

        worker.End(attempt, AttemptState.Failed, 0, FailureCodes.OutOfMemory, "One row needs 9.0 GB; 8.0 GB are free.");

        var failed = await _service.WaitAsync(run, RunState.Failed);
        Assert.Equal("One row needs 9.0 GB; 8.0 GB are free.", failed.Summary.Reason);
        Assert.Equal([16, 8, 4, 2, 1, 1], rows.Append(attempt.Assignment.MicroBatch));
    }

    [Fact]
    public async Task A_drained_worker_takes_nothing_and_a_removed_ones_run_goes_on_elsewhere()
    {
        await using var attic = await FakeWorker.JoinAsync(_service, "attic");
        var run = await _service.SubmitAsync(Pool.Spec());
        await attic.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);
        using var drained = await _service.PostAsync($"/api/v1/workers/{attic.Id}/drain");
        var waits = await _service.SubmitAsync(Pool.Spec("waits"));
        await Eventually.TrueAsync(async () => (await _service.DetailAsync(waits.Id)).Summary.Reason == "attic/0 takes no new runs: it is being drained.", "it says why it waits");

        await using var studio = await FakeWorker.JoinAsync(_service, "studio", devices: 2);
        await _service.WaitAsync(waits, RunState.Running);
        using var removed = await _service.Http.DeleteAsync(new Uri($"/api/v1/workers/{attic.Id}", UriKind.Relative));
        var moved = await Eventually.GetAsync(() => _service.DetailAsync(run.Id), d => d.Summary is { State: RunState.Running, Device: "studio/1" or "studio/0" }, "it runs at the other");

        Assert.Equal("attic was removed from the pool.", moved.Attempts[0].Message);
        Assert.Equal(["studio"], (await _service.WorkersAsync()).Select(w => w.Name));
    }

    [Fact]
    public async Task A_restart_of_the_coordinator_loses_no_live_attempt()
    {
        var worker = await FakeWorker.JoinAsync(_service, "studio");
        var run = await _service.SubmitAsync(Pool.Spec());
        var attempt = await worker.AttemptAsync();
        await _service.WaitAsync(run, RunState.Running);
        string token = _service.AdminToken;
        await worker.FallSilentAsync();
        _service.Kill();
        await using var database = NpgsqlDataSource.Create(_database);
        await using var expired = database.CreateCommand("select lease_ends_at < now() from attempts");
        await Eventually.TrueAsync(async () => (bool)(await expired.ExecuteScalarAsync())!, "the lease has run out while nobody was there to renew it");

        await using var again = await CoordinatorProcess.StartAsync(_database, token, LeaseSeconds);
        await using var back = worker.MoveTo(again);
        back.Attempts[attempt.Assignment.Lease.AttemptId] = attempt;
        back.Speak();
        await Eventually.TrueAsync(async () => (await again.WorkersAsync()).Single().Online, "the worker is back");
        back.End(attempt, AttemptState.Succeeded, 100);

        var done = await again.WaitAsync(run, RunState.Succeeded);
        Assert.Single(done.Attempts);
        await worker.DisposeAsync();
    }
}
