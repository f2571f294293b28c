using Hearth.Agent.Tests.Support;
using Hearth.Runs;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>What stands between an agent and its coordinator may answer anything. Only the coordinator itself ends the agent's work.</summary>
public sealed class RefusalTests
{
    public static TheoryData<int, string?> Answers => new()
    {
        { StatusCodes.Status401Unauthorized, "application/problem+json" },
        { StatusCodes.Status403Forbidden, "application/problem+json" },
        { StatusCodes.Status403Forbidden, "text/html" },
        { StatusCodes.Status407ProxyAuthenticationRequired, null },
        { StatusCodes.Status404NotFound, "text/html" },
        { StatusCodes.Status302Found, null },
        { StatusCodes.Status200OK, "text/html" },
        { StatusCodes.Status409Conflict, "text/html" },
        { StatusCodes.Status410Gone, "text/html" },
        { StatusCodes.Status500InternalServerError, "application/problem+json" },
        { StatusCodes.Status502BadGateway, "text/html" },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task Whatever_answers_instead_of_the_coordinator_training_goes_on_and_all_arrives_afterwards(int status, string? type)
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 400, checkpointEvery: 100));
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");
        using var trainer = await pool.TrainerAsync();
        pool.Coordinator.Instead = () => type is null ? Results.StatusCode(status) : Results.Text("{}", type, statusCode: status);

        await pool.UntilAsync(() => trainer.HasExited, "the run is trained to its end meanwhile");
        await pool.UntilAsync(() => agent.Output.Contains("trainers go on", StringComparison.Ordinal), "the agent tells of the outage");
        Assert.False(agent.HasExited);
        Assert.Null(attempt.End);
        pool.Coordinator.Instead = null;

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);
        Assert.Equal(Enumerable.Range(1, 400).Select(s => (long)s), attempt.Steps("loss"));
        Assert.Equal(400, attempt.CommittedSteps[^1]);
        Assert.Contains(pool.Coordinator.Syncs, s => s.CutOff is { Seconds: > 0, Reason.Length: > 0 });
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Last().CutOff is null, "the outage is told until it is heard");
        Assert.DoesNotContain("of the worker protocol", agent.Output, StringComparison.Ordinal);
        pool.AssertProtocolKept();
    }

    [Theory]
    [InlineData(StatusCodes.Status410Gone, "studio was removed from this pool.", "start with a new --join code")]
    [InlineData(StatusCodes.Status409Conflict, "Another agent works as studio now, on attic.", "This one's home is")]
    public async Task A_coordinator_that_ends_the_agents_work_ends_its_trainers_and_the_agent_says_what_to_do(int status, string detail, string advice)
    {
        await using var pool = await Pool.StartAsync();
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();

        pool.Coordinator.Instead = () => Results.Problem(detail, statusCode: status);

        Assert.Equal(3, await agent.ExitCodeAsync());
        Assert.Contains(detail, agent.Output, StringComparison.Ordinal);
        Assert.Contains(advice, agent.Output, StringComparison.Ordinal);
        await pool.UntilAsync(() => trainer.HasExited, "the trainer is gone");
    }

    [Fact]
    public async Task A_coordinator_two_versions_ahead_is_refused_by_both_numbers_and_one_version_is_not()
    {
        await using var pool = await Pool.StartAsync();
        pool.Coordinator.Version = "4";
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec());
        await pool.UntilAsync(() => attempt.LastStep > 0, "training");
        using var trainer = await pool.TrainerAsync();

        pool.Coordinator.Version = "5";

        await pool.UntilAsync(
            () => agent.Output.Contains("The agent speaks version 3 of the worker protocol, the coordinator version 5; they may be one apart. Update the agent.", StringComparison.Ordinal), "the agent says so");
        Assert.False(trainer.HasExited);
        pool.Coordinator.Version = "2";
        await pool.UntilAsync(() => agent.Output.Contains("answers again after", StringComparison.Ordinal), "one version back is no hindrance");
    }

    [Fact]
    public async Task Reports_carry_one_session_an_agent_and_rising_numbers()
    {
        await using var pool = await Pool.StartAsync();
        var first = pool.Agent();
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Count >= 3, "three reports");
        first.Kill();
        int before = pool.Coordinator.Syncs.Count;
        pool.Agent();
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Count >= before + 2, "two more");

        var sessions = pool.Coordinator.Syncs.Select(s => s.Session!).ToList();
        Assert.Equal(2, sessions.Select(s => s.Id).Distinct().Count());
        foreach (var session in sessions.GroupBy(s => s.Id))
        {
            Assert.Equal(1, session.First().Report);
            Assert.Equal(session.Select(s => s.Report).Order().Distinct(), session.Select(s => s.Report));
        }
    }

    [Fact]
    public async Task Points_that_are_refused_one_by_one_are_told_once_and_the_rest_goes_on()
    {
        await using var pool = await Pool.StartAsync();
        pool.Coordinator.PointRefusal = "loss is of step 0.";
        var agent = pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 400));

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);

        Assert.True(attempt.Metrics.All.Count > 1, "several batches");
        Assert.Single(attempt.LogTexts, text => text.StartsWith("The coordinator refused 1 of the ", StringComparison.Ordinal) && text.EndsWith("loss is of step 0.", StringComparison.Ordinal));
        Assert.Contains("loss is of step 0.", agent.Output, StringComparison.Ordinal);
        Assert.All(pool.Coordinator.Syncs, s => Assert.Null(s.Refused));
        pool.AssertProtocolKept();
    }
}
