using System.Net;
using Hearth.Api;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Checkpoints;

/// <summary>What becomes of a checkpoint that a worker says it cannot use.</summary>
[Collection(SharedPostgres.Name)]
public sealed class DoubtedCheckpoints(DataService data, PostgresServer postgres) : IClassFixture<DataService>
{
    [Fact]
    public async Task A_workers_word_about_bytes_that_are_right_takes_nothing_out_of_use()
    {
        using var attempt = await data.PlaceAsync();
        var made = await CommitAsync(attempt, 10, Unique());

        await ComplainAsync(attempt, made, "weights: the store no longer has it");
        await NoteAsync(attempt, "was read again and is whole");

        Assert.Equal("kept", await StatusAsync(attempt, 10));
        Assert.Equal(0, await ChecksAsync(attempt));
    }

    [Fact]
    public async Task A_whole_one_that_two_attempts_could_not_use_is_quarantined_and_keeps_its_bytes()
    {
        using var attempt = await data.PlaceAsync();
        string content = Unique();
        var made = await CommitAsync(attempt, 10, content);

        // The same attempt twice is one complaint.
        await ComplainAsync(attempt, made, "its tokenizer is another");
        await NoteAsync(attempt, "was read again and is whole");
        await ComplainAsync(attempt, made, "its tokenizer is another");
        await Eventually.TrueAsync(async () => await ChecksAsync(attempt) == 0, "the second check is over");
        Assert.Equal("kept", await StatusAsync(attempt, 10));
        await attempt.PlaceAgainAsync();
        await ComplainAsync(attempt, made, "its tokenizer is another");

        await NoteAsync(attempt, "2 attempts could not use it");
        Assert.Equal("quarantined", await StatusAsync(attempt, 10));
        Assert.True(File.Exists(BlobPath(content)));
    }

    [Fact]
    public async Task A_missing_one_is_used_again_once_the_store_has_it_again()
    {
        using var attempt = await data.PlaceAsync();
        string content = Unique();
        var made = await CommitAsync(attempt, 10, content);
        File.Move(BlobPath(content), BlobPath(content) + ".away");
        await ComplainAsync(attempt, made, "weights: the store no longer has it");
        await Eventually.TrueAsync(async () => await StatusAsync(attempt, 10) == "missing", "the coordinator finds it missing");
        Assert.Equal(1, await ChecksAsync(attempt));

        File.Move(BlobPath(content) + ".away", BlobPath(content));
        using var asked = await data.Service.PostAsync($"/api/v1/runs/{attempt.RunId}/checkpoints/{made}/check");

        Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);
        await Eventually.TrueAsync(async () => await StatusAsync(attempt, 10) == "kept", "it is found again");
        await NoteAsync(attempt, "is whole in the store again");
    }

    [Fact]
    public async Task The_content_of_a_damaged_one_is_asked_for_anew_and_it_counts_again_once_it_is_read_whole()
    {
        using var attempt = await data.PlaceAsync();
        (string, string) file = ("weights", Unique());
        var made = await CommitAsync(attempt, 20, file.Item2);
        await File.WriteAllTextAsync(BlobPath(file.Item2), file.Item2.Replace('w', 'x'));
        await ComplainAsync(attempt, made, "weights has another SHA-256");
        await Eventually.TrueAsync(async () => await StatusAsync(attempt, 20) == "damaged", "the coordinator finds it damaged");

        // Training goes on from before and writes the same bytes at step 20. A commit without them does not count.
        using var early = await attempt.PostAsync("checkpoints", attempt.Commit(20, file));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, early.StatusCode);
        Assert.Equal(1, await attempt.UploadAsync(file));
        var mended = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(20, file));

        Assert.Equal((made, "kept"), (mended.CheckpointId, await StatusAsync(attempt, 20)));
    }

    [Fact]
    public async Task A_run_whose_only_checkpoint_is_missing_waits_until_somebody_gives_it_up()
    {
        string database = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(database);
        await service.AddDatasetAsync();
        await using var worker = await FakeWorker.JoinAsync(service, "studio");
        var run = await service.SubmitAsync(Pool.Spec());
        var first = await worker.AttemptAsync();
        var lost = await worker.CheckpointAsync(first.Assignment.Lease, 10, "ten");
        File.Delete(CoordinatorProcess.BlobPathOf(database, "ten"));

        worker.End(first, AttemptState.Lost, 12);
        var second = await worker.AttemptAsync();
        worker.End(second, AttemptState.Failed, 10, FailureCodes.CorruptCheckpoint, "model.safetensors: the store no longer has it.");
        var waiting = await Eventually.GetAsync(() => service.DetailAsync(run.Id), d => d.Summary.Reason?.Contains("is missing from the store, and it has no other", StringComparison.Ordinal) == true, "the run waits");
        Assert.Equal((RunState.Queued, "missing"), (waiting.Summary.State, Assert.Single(waiting.Checkpoints).Status));

        using var discarded = await service.PostAsync($"/api/v1/runs/{run.Id}/checkpoints/{lost}/discard");
        var third = await worker.AttemptAsync();

        Assert.Equal(HttpStatusCode.NoContent, discarded.StatusCode);
        Assert.Null(third.Assignment.CheckpointId);
        using var again = await service.PostAsync($"/api/v1/runs/{run.Id}/checkpoints/{lost}/discard");
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
    }

    private static string Unique() => $"w {Guid.NewGuid()}";

    private string BlobPath(string content) => data.BlobPath(PlacedAttempt.File("weights", content).Sha256);

    private static async Task<Guid> CommitAsync(PlacedAttempt attempt, long step, string content)
    {
        await attempt.UploadAsync(("weights", content));
        return (await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(step, ("weights", content)))).CheckpointId;
    }

    private static async Task ComplainAsync(PlacedAttempt attempt, Guid checkpoint, string reason) =>
        (await attempt.PostAsync("checkpoints/unreadable", new CheckpointProblem(attempt.Lease, checkpoint, 0, reason))).EnsureSuccessStatusCode();

    private static async Task<string> StatusAsync(PlacedAttempt attempt, long step) =>
        (await attempt.GetAsync<List<CheckpointView>>("checkpoints")).Single(c => c.Step == step).Status;

    private Task<long> ChecksAsync(PlacedAttempt attempt) =>
        data.ScalarAsync<long>("select count(*) from checkpoint_checks k join checkpoints c on c.id = k.checkpoint_id where c.run_id = $1", attempt.RunId);

    private Task NoteAsync(PlacedAttempt attempt, string words) => Eventually.TrueAsync(
        async () => await data.ScalarAsync<long>($"select count(*) from run_notes where run_id = $1 and text like '%{words}%'", attempt.RunId) > 0, $"the run's story says: {words}");
}
