using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>The disk of a worker's home runs full, really, and is freed again: nothing of a run hangs on it but its checkpoints, and all is said.</summary>
public sealed class FullDiskTests
{
    private const int Kilobytes = 4096;

    [SkippableFact]
    public async Task A_run_trains_on_says_what_it_cannot_write_and_keeps_checkpoints_again_once_there_is_room()
    {
        using var disk = new MountedDisk(Kilobytes);
        await using var pool = await Pool.StartAsync(disk.At("home"));
        var agent = pool.Agent(AgentProcess.RealTrainer, disk.At("agent.log"), []);
        var attempt = pool.Coordinator.Place(RealTrainerTests.Spec(steps: 1_000_000), a => a with { Dataset = [pool.Coordinator.Store("text.jsonl", RealTrainerTests.Text())] });
        await pool.UntilAsync(() => attempt.Commits.All.Count > 0, "a checkpoint");

        disk.Fill();
        await pool.UntilAsync(() => Refill(disk, () => attempt.Failed.All.Count > 1), "checkpoints cannot be written");
        long step = attempt.LastStep;
        await pool.UntilAsync(() => Refill(disk, () => attempt.LastStep > step + 100), "its points arrive all the same");
        Assert.Contains("No space left on device", attempt.Failed.All[0].Reason, StringComparison.Ordinal);
        Assert.False(agent.HasExited);
        Assert.Null(attempt.End);

        disk.Free();
        await pool.UntilAsync(() => attempt.CommittedSteps[^1] > attempt.Failed.All[^1].Step, "a later checkpoint");
        pool.Coordinator.Command(attempt, AttemptCommandKind.Stop);

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Stopped, attempt.CommittedSteps[^1]), (end.Outcome, end.Step));
        var steps = attempt.Steps("loss");
        Assert.Equal(Enumerable.Range(1, steps.Count).Select(s => (long)s), steps);
        Assert.Contains($"checkpoint of step {end.Step} stored", File.ReadAllText(disk.At("agent.log")), StringComparison.Ordinal);
        pool.AssertProtocolKept();
    }

    [SkippableFact]
    public async Task An_attempt_that_finds_no_room_is_lost_in_a_sentence_and_the_next_one_trains()
    {
        using var disk = new MountedDisk(Kilobytes);
        await using var pool = await Pool.StartAsync(disk.At("home"));
        pool.Agent();
        await pool.UntilAsync(() => !pool.Coordinator.Syncs.IsEmpty, "the agent reports");
        var data = pool.Coordinator.Store("text.txt", new byte[100_000]);

        disk.Fill();
        var first = pool.Coordinator.Place(Pool.Spec(), a => a with { Dataset = [data] });

        var lost = await pool.EndAsync(first);
        Assert.Equal((AttemptState.Lost, 0L), (lost.Outcome, lost.Step));
        Assert.StartsWith("the worker's disk: ", lost.Message, StringComparison.Ordinal);
        Assert.Contains("No space left on device", lost.Message, StringComparison.Ordinal);

        disk.Free();
        var second = pool.Coordinator.Place(Pool.Spec(steps: 20), a => a with { Dataset = [data] });
        Assert.Equal((AttemptState.Succeeded, 20L), ((await pool.EndAsync(second)).Outcome, second.End!.Step));
        pool.AssertProtocolKept();
    }

    [SkippableFact]
    public async Task A_token_that_finds_no_room_waits_for_it_and_no_second_code_is_needed()
    {
        using var disk = new MountedDisk(Kilobytes);
        await using var pool = await Pool.StartAsync(disk.At("home"));
        disk.Fill();
        var agent = pool.Agent();
        await pool.UntilAsync(() => agent.Output.Contains("its token cannot be written", StringComparison.Ordinal), "it says what it waits for");
        Assert.False(File.Exists(disk.At("home", "worker.json")));

        disk.Free();

        await pool.UntilAsync(() => !pool.Coordinator.Syncs.IsEmpty, "the agent reports");
        Assert.Single(pool.Coordinator.Joins);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, new FileInfo(disk.At("home", "worker.json")).UnixFileMode);
    }

    // What an agent clears away makes room that the next write would find.
    private static bool Refill(MountedDisk disk, Func<bool> condition)
    {
        disk.Fill();
        return condition();
    }
}
