using Hearth.Api;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Cluster;

[Collection(SharedPostgres.Name)]
public sealed class TakingOver(PostgresServer postgres)
{
    // Long, so that nothing that happens here is the end of a lease.
    private static readonly (string, string) Lease = ("HEARTH_LEASE_SECONDS", "300");

    [Fact]
    public async Task When_the_schedulers_coordinator_is_killed_another_goes_on_and_no_run_starts_again()
    {
        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 3, Lease);
        var scheduler = await cluster.SchedulerAsync();
        var other = cluster.Other(scheduler);
        await other.AddDatasetAsync();
        await using var worker = await FakeWorker.JoinAsync(other, "studio", devices: 2);
        var first = await other.SubmitAsync(Pool.Spec("first"));
        await worker.AttemptAsync();
        await other.WaitAsync(first, RunState.Running);
        long term = await cluster.TermAsync();

        scheduler.Kill();
        var second = await other.SubmitAsync(Pool.Spec("second"));
        await cluster.TakenOverAsync(scheduler);

        await Eventually.TrueAsync(async () => (await other.DetailAsync(second.Id)).Summary.State == RunState.Running, "the second run is placed", seconds: 120);
        var kept = await other.DetailAsync(first.Id);
        Assert.Equal(RunState.Running, kept.Summary.State);
        Assert.Single(kept.Attempts);
        Assert.Equal(
            [term, await cluster.TermAsync()],
            [await TermOfAsync(cluster, first), await TermOfAsync(cluster, second)]);
    }

    [Fact]
    public async Task A_scheduler_that_was_frozen_past_its_death_applies_nothing_when_it_wakes()
    {
        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 2, Lease);
        var frozen = await cluster.SchedulerAsync();
        var next = cluster.Other(frozen);
        await next.AddDatasetAsync();
        await using var worker = await FakeWorker.JoinAsync(next, "studio", heartbeats: false);
        await worker.SyncAsync();
        using var drained = await next.PostAsync($"/api/v1/workers/{worker.Id}/drain");
        var run = await next.SubmitAsync(Pool.Spec());
        await Eventually.TrueAsync(async () => (await next.DetailAsync(run.Id)).Summary.Reason is not null, "it waits for a worker that takes runs");

        frozen.Signal("STOP");
        Assert.Equal("ok", await next.Http.GetStringAsync(new Uri("/healthz", UriKind.Relative)));
        Assert.Same(next, await cluster.TakenOverAsync(frozen));
        long term = await cluster.TermAsync();

        // Nobody but the one that wakes up is there to place the run that can be placed now.
        next.Signal("STOP");
        await cluster.ScalarAsync<Guid>("update workers set draining = false returning id");
        frozen.Signal("CONT");
        await Eventually.TrueAsync(() => Task.FromResult(frozen.HasExited), "it learns that it was declared dead, and ends", seconds: 120);

        Assert.Contains(frozen.Output, l => l.Contains($"term {term - 1} is over", StringComparison.Ordinal));
        Assert.Equal(term, await cluster.TermAsync());
        Assert.Equal(0, await cluster.ScalarAsync<long>("select count(*) from attempts"));
        Assert.Equal("queued", await cluster.ScalarAsync<string>("select state from runs"));

        next.Signal("CONT");
        await Eventually.TrueAsync(async () => await cluster.ScalarAsync<long>("select count(*) from attempts") == 1, "the present scheduler places it", seconds: 120);
        Assert.Equal(await cluster.TermAsync(), await TermOfAsync(cluster, run));
    }

    [Fact]
    public async Task A_held_sync_is_answered_when_the_scheduler_of_another_coordinator_places_something()
    {
        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 2, Lease);
        var scheduler = await cluster.SchedulerAsync();
        var other = cluster.Other(scheduler);
        await other.AddDatasetAsync();
        await using var busy = await FakeWorker.JoinAsync(other, "busy", gigabytes: 8, heartbeats: false);
        await using var idle = await FakeWorker.JoinAsync(other, "idle", gigabytes: 0.001, heartbeats: false);
        await busy.SyncAsync();
        await idle.SyncAsync();

        // Both are held for as long, the busy one from later on: without a wake the idle one would always be first.
        await Eventually.TrueAsync(
            async () =>
            {
                var nothing = idle.SyncAsync(wait: 60_000);
                var placed = busy.SyncAsync(wait: 60_000);
                var run = await other.SubmitAsync(Pool.Spec());
                bool woken = await Task.WhenAny(nothing, placed) == placed && (await placed)!.Assignments.Count == 1;
                await Task.WhenAll(nothing, placed);
                await other.ActAsync(run, "cancel");
                return woken;
            },
            "the worker that something was placed on is answered first",
            seconds: 120);
    }

    [Fact]
    public async Task A_worker_goes_on_at_another_coordinator_when_its_own_is_killed()
    {
        await using var cluster = await CoordinatorCluster.StartAsync(await postgres.CreateDatabaseAsync(), 2, Lease);
        var (first, second) = (cluster.Members[0], cluster.Members[1]);
        await first.AddDatasetAsync();
        var worker = await FakeWorker.JoinAsync(first, "studio");
        var run = await first.SubmitAsync(Pool.Spec());
        var attempt = await worker.AttemptAsync();
        await first.WaitAsync(run, RunState.Running);

        first.Kill();
        await worker.FallSilentAsync();
        await using var moved = worker.MoveTo(second);
        moved.Attempts[attempt.Assignment.Lease.AttemptId] = attempt;
        moved.Speak();
        moved.End(attempt, AttemptState.Succeeded, 100);

        await Eventually.TrueAsync(async () => (await second.DetailAsync(run.Id)).Summary.State == RunState.Succeeded, "its run ends there", seconds: 120);
        Assert.Single((await second.DetailAsync(run.Id)).Attempts);
        await worker.DisposeAsync();
    }

    private static Task<long> TermOfAsync(CoordinatorCluster cluster, RunSummary run) => cluster.ScalarAsync<long>($"select term from attempts where run_id = '{run.Id}'");
}
