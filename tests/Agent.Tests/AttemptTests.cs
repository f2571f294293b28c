using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>The real agent, a trainer that trains nothing, and a coordinator that is strict about the protocol.</summary>
public sealed class AttemptTests
{
    [Fact]
    public async Task A_run_arrives_whole_and_in_order_and_then_its_end()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 60, checkpointEvery: 25));

        var end = await pool.EndAsync(attempt);

        Assert.Equal((AttemptState.Succeeded, 60L, "000000000000003c"), (end.Outcome, end.Step, end.Trace));
        Assert.Equal(Enumerable.Range(1, 60).Select(s => (long)s), attempt.Steps("loss"));
        Assert.Equal(60, attempt.CommittedSteps[^1]);
        Assert.Equal(attempt.CommittedSteps.Order(), attempt.CommittedSteps);
        Assert.Contains("manifest.json", attempt.Commits.All[^1].Manifest.Files.Select(f => f.Name));
        Assert.Equal("k", Assert.Single(attempt.Prepared.All).Key);
        Assert.Contains("a line of standard error", attempt.LogTexts);
        Assert.Contains(attempt.Reports, r => r.State == AttemptState.Starting);
        string[] keys = [.. attempt.Metrics.All.SelectMany(m => m.Chunks).Select(c => c.Key).Distinct()];
        Assert.All(["loss", "lr", "grad_norm", "tokens_per_second", "step_seconds", "tokens", "checkpoint_pause_seconds"], k => Assert.Contains(k, keys));
        pool.AssertProtocolKept();
        await pool.UntilAsync(() => Directory.GetDirectories(Path.Combine(pool.Home, "attempts")).Length == 0, "the work folder is gone");
    }

    [Fact]
    public async Task A_killed_trainer_is_lost_in_the_very_next_report()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        using var trainer = await pool.TrainerAsync();
        int before = attempt.Reports.Count;

        trainer.Kill();

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Lost, "The trainer was killed (signal 9)."), (end.Outcome, end.Message));
        Assert.True(end.Step > 5);

        // The call under way is cut short: no more than the reports that were on their way come before the end.
        Assert.InRange(attempt.Reports.Count - before, 0, 2);
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task A_stop_is_obeyed_once_and_reported_when_its_checkpoint_is_committed()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");

        pool.Coordinator.Command(attempt, AttemptCommandKind.Stop);

        var end = await pool.EndAsync(attempt);
        Assert.Equal(AttemptState.Stopped, end.Outcome);
        Assert.Equal(end.Step, Assert.Single(attempt.CommittedSteps));
        Assert.Single(attempt.LogTexts, t => t == "asked to stop");
        Assert.Contains(attempt.Reports, r => r.State == AttemptState.Stopping);
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task A_kill_ends_the_trainer_without_a_checkpoint()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec("deaf"));
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        using var trainer = await pool.TrainerAsync();

        pool.Coordinator.Command(attempt, AttemptCommandKind.Kill);

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Stopped, "ended at once on request, without a checkpoint"), (end.Outcome, end.Message));
        Assert.True(trainer.HasExited);
        Assert.Empty(attempt.Commits.All);
    }

    [Fact]
    public async Task A_sample_and_a_checkpoint_on_request_come_once_each()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");

        pool.Coordinator.Command(attempt, AttemptCommandKind.Sample, "Once upon");
        pool.Coordinator.Command(attempt, AttemptCommandKind.Checkpoint);

        await pool.UntilAsync(() => attempt.Samples.Count > 0 && attempt.Commits.All.Count > 0, "both arrive");
        long step = attempt.LastStep;
        await pool.UntilAsync(() => attempt.LastStep > step + 20, "training goes on");
        Assert.Equal(("Once upon", "and so on"), (Assert.Single(attempt.Samples).Prompt, attempt.Samples[0].Text));
        Assert.Single(attempt.Commits.All);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_revoked_epoch_ends_the_trainer_and_the_agent_says_nothing_more_of_it(bool told)
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec("deaf", checkpointEvery: 50));
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();

        pool.Coordinator.Fence(attempt, told);

        await pool.UntilAsync(() => trainer.HasExited, "the trainer is gone");
        await pool.UntilAsync(() => Directory.GetDirectories(Path.Combine(pool.Home, "attempts")).Length == 0, "the work folder is gone");
        int writes = attempt.WritesAfterFence;
        int syncs = pool.Coordinator.Syncs.Count;
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Count > syncs + 1, "the agent goes on reporting");
        Assert.Equal(writes, attempt.WritesAfterFence);
        Assert.Null(attempt.End);
        Assert.DoesNotContain(pool.Coordinator.Syncs.Last().Attempts, a => a.Lease == attempt.Lease);
    }

    [Theory]
    [InlineData("crash", FailureCodes.Crashed, "something is badly wrong")]
    [InlineData("out-of-memory", FailureCodes.OutOfMemory, "the device is full")]
    public async Task A_failure_says_why(string name, string code, string message)
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(name));

        var end = await pool.EndAsync(attempt);

        Assert.Equal((AttemptState.Failed, code), (end.Outcome, end.FailureCode));
        Assert.Contains(message, end.Message, StringComparison.Ordinal);
        Assert.Equal(3, end.Step);
    }
}
