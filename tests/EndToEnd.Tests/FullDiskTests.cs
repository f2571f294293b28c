using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>The disk of the object store, or of a worker, runs full under a run, and is freed again.</summary>
public sealed class FullDiskTests : IDisposable
{
    private readonly PoolOptions _options = PoolOptions.Private();
    private readonly string _text = Directory.CreateTempSubdirectory("hearth-text-").FullName;

    public void Dispose()
    {
        Directory.Delete(_options.DataPath, recursive: true);
        Directory.Delete(_text, recursive: true);
    }

    [SkippableFact]
    public async Task A_run_trains_on_says_that_the_store_is_full_and_keeps_checkpoints_again_once_there_is_room()
    {
        using var disk = new MountedDisk(256 << 10);
        PutOn(disk, "store", "store");
        await using var pool = await LocalPool.StartAsync(_options, Console.WriteLine, CancellationToken.None);
        var run = await TrainedAsync(pool, "full-store");

        disk.Fill();
        var full = await run.UntilAsync("to say that the store is full", r => r.Notes.Any(n => n.Kind == "checkpoint_failed"), PoolFixture.Limit, CancellationToken.None);
        var note = full.Notes.First(n => n.Kind == "checkpoint_failed");
        Assert.Contains("(it is full)", note.Text, StringComparison.Ordinal);
        Assert.Contains("Training goes on", note.Text, StringComparison.Ordinal);
        var going = await run.UntilAsync("to train on", r => r.Summary.Step > full.Summary.Step, PoolFixture.Limit, CancellationToken.None);
        Assert.Equal(RunState.Running, going.Summary.State);

        disk.Free();
        var freed = await run.UntilAsync("to keep a later checkpoint", r => Kept(r) > note.Step, PoolFixture.Limit, CancellationToken.None);

        Assert.Single(freed.Attempts);
        await CancelAsync(pool, freed);
    }

    [SkippableFact]
    public async Task A_run_outlives_a_full_disk_of_its_worker_and_is_never_running_without_a_trainer()
    {
        using var disk = new MountedDisk(64 << 10);
        PutOn(disk, "agent");
        await using var pool = await LocalPool.StartAsync(_options, Console.WriteLine, CancellationToken.None);
        var run = await TrainedAsync(pool, "full-worker");

        disk.Fill();
        var full = await run.UntilAsync("to say that its worker's disk is full", r => Refill(disk, r.Notes.Any(n => n.Kind == "checkpoint_failed")), PoolFixture.Limit, CancellationToken.None);
        Assert.Contains("No space left on device", full.Notes.First(n => n.Kind == "checkpoint_failed").Text, StringComparison.Ordinal);
        await run.UntilAsync("to train on", r => Refill(disk, r.Summary.Step > full.Summary.Step), PoolFixture.Limit, CancellationToken.None);

        // What the attempt leaves makes no room: the next one finds none either, and its run waits instead of being shown as running.
        Signals.Send(Assert.Single(pool.Trainers()), Signals.Kill);
        var lost = await run.UntilAsync("to say why it cannot begin again", r => Refill(disk, r.Notes.Any(IsOfFullDisk)), PoolFixture.Limit, CancellationToken.None);
        Assert.Contains("goes on from step", lost.Notes.First(IsOfFullDisk).Text, StringComparison.Ordinal);
        Assert.NotEqual(RunState.Failed, lost.Summary.State);
        Assert.True(lost.Summary.State == RunState.Queued || lost.Attempts.Any(a => a.EndedAt is null), $"the run is {lost.Summary.State} without an attempt");

        disk.Free();
        long kept = Kept(lost);
        var freed = await run.UntilAsync("to keep a later checkpoint", r => Kept(r) > kept, PoolFixture.Limit, CancellationToken.None);
        Assert.Equal(RunState.Running, freed.Summary.State);
        Assert.Single(pool.Trainers());
        await CancelAsync(pool, freed);
    }

    private static bool IsOfFullDisk(RunNote note) => note.Kind == "lost" && note.Text.Contains("No space left on device", StringComparison.Ordinal);

    private static long Kept(RunDetail run) => run.Checkpoints.Where(c => c.Status == "kept").Select(c => c.Step).DefaultIfEmpty(0).Max();

    // What is cleared away makes room that the next write would find.
    private static bool Refill(MountedDisk disk, bool done)
    {
        disk.Fill();
        return done;
    }

    private static Task CancelAsync(LocalPool pool, RunDetail run) => pool.Api.PostAsync<RunAction>($"runs/{run.Summary.Id}/cancel", null, CancellationToken.None);

    private void PutOn(MountedDisk disk, params string[] folder)
    {
        string path = Path.Combine([_options.DataPath, .. folder]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateSymbolicLink(path, disk.Path);
    }

    private async Task<RunWatch> TrainedAsync(LocalPool pool, string name)
    {
        PoolFixture.WriteText(_text);
        await pool.Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(PoolFixture.Dataset, [_text], "the project's own"), CancellationToken.None);
        var spec = PoolFixture.Spec(name, steps: 1_000_000);
        var submitted = await pool.Api.PostAsync<RunSummary>("runs", new SubmitRun(JsonSerializer.SerializeToElement(spec, Json.Wire)), CancellationToken.None, "once");
        var run = new RunWatch(pool.Api, submitted.Id);
        await run.UntilAsync("to keep a checkpoint", r => Kept(r) > 0, PoolFixture.Limit, CancellationToken.None);
        return run;
    }
}
