using Hearth.Agent.Tests.Support;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class OutageTests
{
    [Fact]
    public async Task While_the_coordinator_is_away_training_goes_on_and_all_arrives_afterwards_once()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 800));
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        pool.Coordinator.LoseAnswers = true;
        long before = attempt.LastStep;
        await pool.UntilAsync(() => attempt.LastStep > before, "points that the agent does not know to have arrived");
        pool.Coordinator.Away = true;
        pool.Coordinator.LoseAnswers = false;
        using var trainer = await pool.TrainerAsync();

        await pool.UntilAsync(() => trainer.HasExited, "the run is trained to its end meanwhile");
        Assert.Null(attempt.End);
        Assert.False(agent.HasExited);
        pool.Coordinator.Away = false;

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);
        Assert.Equal(Enumerable.Range(1, 800).Select(s => (long)s), attempt.Steps("loss"));
        Assert.Equal(800, attempt.CommittedSteps[^1]);
        await pool.UntilAsync(() => agent.Output.Contains("answers again after", StringComparison.Ordinal), "the agent says that the outage is over");
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task An_end_is_repeated_until_it_is_acknowledged_also_by_the_next_agent()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();
        pool.Coordinator.Away = true;
        trainer.Kill();
        string ends = Path.Combine(pool.Home, "ended");
        await pool.UntilAsync(() => Directory.GetFiles(ends, "*.json").Length == 1, "the end is on disk");
        agent.Kill();
        pool.Coordinator.Away = false;

        pool.Agent();

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Lost, "The trainer was killed (signal 9)."), (end.Outcome, end.Message));
        await pool.UntilAsync(() => Directory.GetFiles(ends).Length == 0, "the acknowledged end is forgotten");
        Assert.Equal(1, attempt.Ends);
    }

    [Fact]
    public async Task What_is_on_disk_when_an_agent_dies_the_next_one_sends_in_order_once_and_before_the_end()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        pool.Coordinator.Away = true;
        await pool.UntilAsync(() => Batches(pool).Count(b => b.Contains("metrics", StringComparison.Ordinal)) >= 3, "points wait on disk");
        agent.Kill();
        long before = attempt.LastStep;
        int left = Batches(pool).Length;
        pool.Coordinator.Away = false;

        var next = pool.Agent();

        Assert.Equal((AttemptState.Lost, "the agent was restarted"), ((await pool.EndAsync(attempt)).Outcome, attempt.End!.Message));
        Assert.True(attempt.LastStep > before, $"step {attempt.LastStep} after {before}");
        Assert.Equal(Enumerable.Range(1, (int)attempt.LastStep).Select(s => (long)s), attempt.Steps("loss"));
        Assert.Contains($"sent {left} batches that an earlier agent left", next.Output, StringComparison.Ordinal);
        Assert.Empty(Batches(pool));
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task Points_of_a_trainer_that_dies_while_the_coordinator_is_away_arrive_before_its_end()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        using var trainer = await pool.TrainerAsync();
        pool.Coordinator.Away = true;
        await pool.UntilAsync(() => Batches(pool).Count(b => b.Contains("metrics", StringComparison.Ordinal)) >= 3, "points wait on disk");
        long before = attempt.LastStep;
        trainer.Kill();
        await pool.UntilAsync(() => Directory.GetFiles(Path.Combine(pool.Home, "ended"), "*.json").Length == 1, "the end is on disk");
        pool.Coordinator.Away = false;

        Assert.Equal(AttemptState.Lost, (await pool.EndAsync(attempt)).Outcome);
        Assert.True(attempt.LastStep > before, $"step {attempt.LastStep} after {before}");
        Assert.Equal(Enumerable.Range(1, (int)attempt.LastStep).Select(s => (long)s), attempt.Steps("loss"));
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task A_killed_agent_takes_a_trainer_with_it_that_obeys()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();

        agent.Kill();

        await pool.UntilAsync(() => trainer.HasExited, "the trainer ends with its input");
    }

    [Fact]
    public async Task The_next_agent_kills_a_trainer_that_did_not_go_and_reports_the_attempt_lost_at_once()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec("deaf"));
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();
        agent.Kill();
        int before = pool.Coordinator.Syncs.Count;
        Assert.False(trainer.HasExited);

        pool.Agent();

        var end = await pool.EndAsync(attempt);
        Assert.Equal((AttemptState.Lost, "the agent was restarted"), (end.Outcome, end.Message));
        Assert.True(trainer.HasExited);
        Assert.Contains(pool.Coordinator.Syncs.Skip(before).First().Ended, e => e.Lease == attempt.Lease);
        Assert.Empty(Directory.GetDirectories(Path.Combine(pool.Home, "attempts")));
    }

    [Fact]
    public async Task Told_to_leave_it_stops_its_trainers_with_a_checkpoint_reports_and_goes()
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");

        agent.Terminate();

        Assert.Equal(0, await agent.ExitCodeAsync());
        Assert.Equal((AttemptState.Stopped, "the agent was told to leave"), (attempt.End!.Outcome, attempt.End.Message));
        Assert.Equal(attempt.End.Step, Assert.Single(attempt.CommittedSteps));
        Assert.Empty(pool.Coordinator.Syncs.Last().Devices);
        pool.AssertProtocolKept();
    }

    private static string[] Batches(Pool pool) => Directory.GetFiles(Path.Combine(pool.Home, "attempts"), "*.batch", SearchOption.AllDirectories);
}
