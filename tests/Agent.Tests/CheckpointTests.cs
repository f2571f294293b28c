using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class CheckpointTests
{
    [Fact]
    public async Task An_attempt_goes_on_from_the_checkpoint_it_is_given_and_sends_only_blobs_the_store_lacks()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var first = pool.Coordinator.Place(Pool.Spec(steps: 40));
        await pool.EndAsync(first);

        var second = pool.Coordinator.Place(Pool.Spec(steps: 60), a => a with { CheckpointId = Guid.NewGuid(), Checkpoint = pool.Coordinator.Files(first.Commits.All[^1].Manifest) });

        Assert.Equal(60, (await pool.EndAsync(second)).Step);
        Assert.Equal(41, second.Steps("loss")[0]);

        // The store reports a blob that is put twice, and the tokenizer is in both checkpoints.
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task An_unreadable_checkpoint_is_reported_by_its_id_and_the_attempt_ends_before_training()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var id = Guid.NewGuid();
        var weights = pool.Coordinator.Store("weights.safetensors", "weights");
        pool.Coordinator.Damage(weights.Sha256);

        var attempt = pool.Coordinator.Place(Pool.Spec(), a => a with { CheckpointId = id, Checkpoint = [weights] });

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Failed, FailureCodes.CorruptCheckpoint), (end.Outcome, end.FailureCode));
        Assert.Equal(id, Assert.Single(attempt.Unreadable.All).CheckpointId);
        Assert.Contains("weights.safetensors: its SHA-256 is", end.Message, StringComparison.Ordinal);
        Assert.Empty(attempt.Steps("loss"));
    }

    [Fact]
    public async Task A_name_that_leads_out_of_the_folder_is_refused()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();

        var attempt = pool.Coordinator.Place(Pool.Spec(), a => a with { Dataset = [pool.Coordinator.Store("../../../worker.json", "{}")] });

        var end = await pool.EndAsync(attempt);
        Assert.Equal(AttemptState.Lost, end.Outcome);
        Assert.Contains("not a relative file name", end.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_refuses_costs_a_checkpoint_not_the_run()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        pool.Coordinator.UploadStatus = 400;
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        pool.Coordinator.Command(attempt, AttemptCommandKind.Checkpoint);
        await pool.UntilAsync(() => attempt.Failed.All.Count > 0, "the failure is reported");
        pool.Coordinator.UploadStatus = 200;

        pool.Coordinator.Command(attempt, AttemptCommandKind.Stop);

        var end = await pool.EndAsync(attempt);
        Assert.Equal(AttemptState.Stopped, end.Outcome);
        Assert.Equal(end.Step, Assert.Single(attempt.CommittedSteps));
        Assert.Contains("400", Assert.Single(attempt.Failed.All).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_is_not_done_while_its_last_checkpoint_is_refused()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        pool.Coordinator.UploadStatus = 500;

        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 5));

        var end = await pool.EndAsync(attempt);
        Assert.Equal(AttemptState.Lost, end.Outcome);
        Assert.Contains("its last checkpoint could not be stored", end.Message, StringComparison.Ordinal);
        Assert.Equal(5, Assert.Single(attempt.Failed.All).Step);
    }

    [Fact]
    public async Task A_last_checkpoint_that_meets_a_full_store_waits_for_room_says_so_and_the_run_succeeds()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        pool.Coordinator.UploadStatus = 507;
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 5));

        await pool.UntilAsync(() => attempt.Reports.Any(r => r.State == AttemptState.Stopping && r.What!.Contains("waits for room", StringComparison.Ordinal)), "it says what it waits for");
        Assert.Null(attempt.End);
        Assert.Contains("it is full", Assert.Single(attempt.Failed.All).Reason, StringComparison.Ordinal);
        pool.Coordinator.UploadStatus = 200;

        Assert.Equal((AttemptState.Succeeded, 5), Pick(await pool.EndAsync(attempt)));
        Assert.Equal(5, Assert.Single(attempt.CommittedSteps));
        pool.AssertProtocolKept();

        static (AttemptState, long) Pick(AttemptEnd end) => (end.Outcome, end.Step);
    }

    [Fact]
    public async Task A_checkpoint_that_could_not_be_written_is_reported_and_training_goes_on()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();

        var attempt = pool.Coordinator.Place(Pool.Spec("full-disk", steps: 20));

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);
        Assert.Equal((3L, "No space left on device"), (Assert.Single(attempt.Failed.All).Step, attempt.Failed.All[0].Reason));
    }

    [Fact]
    public async Task Committed_checkpoints_leave_no_older_ones_on_this_disk()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(checkpointEvery: 30));
        await pool.UntilAsync(() => attempt.Commits.All.Count >= 3, "three checkpoints");
        string cache = Path.Combine(pool.Home, "cache", "blobs");

        // Of the stored ones the newest stays, for a roll-back and for a resume here; its weights are one blob, as are tokenizer and manifest.
        await pool.UntilAsync(
            () => Directory.EnumerateDirectories(Path.Combine(pool.Home, "attempts"), "step-*", SearchOption.AllDirectories).Count() <= 2
                && Directory.EnumerateFiles(cache, "*", SearchOption.AllDirectories).Count() <= 5,
            "the older ones are gone");
    }
}
