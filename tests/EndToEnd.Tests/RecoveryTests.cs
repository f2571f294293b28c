using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>Whatever is killed, a run goes on exactly where it stopped.</summary>
[Collection(PoolCollection.Name)]
public sealed class RecoveryTests(PoolFixture fixture)
{
    [Fact]
    public async Task A_run_whose_trainer_is_killed_ends_with_the_trace_of_the_straight_run()
    {
        var run = await fixture.SubmitAsync(PoolFixture.Spec("trainer-killed"));
        await PoolFixture.TrainedAsync(run, 70);

        await Recovery.MeasureAsync(run, fixture.Pool.Trainers(), PoolFixture.Limit, CancellationToken.None);

        var done = await PoolFixture.SucceededAsync(run);
        Assert.Equal(2, done.Attempts.Count);
        Assert.Equal(AttemptState.Lost, done.Attempts.Single(a => a.Number == 1).State);
        Assert.True(done.Attempts.Single(a => a.Number == 2).FirstStep >= 40, "the second attempt did not go on from a checkpoint");
        Assert.Equal(await fixture.StraightTraceAsync(), done.Trace);
    }

    [Fact]
    public async Task A_run_whose_agent_is_killed_ends_with_the_trace_of_the_straight_run()
    {
        var run = await fixture.SubmitAsync(PoolFixture.Spec("agent-killed"));
        await PoolFixture.TrainedAsync(run, 70);
        var orphan = Assert.Single(fixture.Pool.Trainers());

        await Recovery.MeasureAsync(run, [fixture.Pool.Agent.Mark], PoolFixture.Limit, CancellationToken.None);

        var done = await PoolFixture.SucceededAsync(run);
        Assert.False(orphan.IsAlive());
        Assert.Equal(await fixture.StraightTraceAsync(), done.Trace);
    }

    [Fact]
    public async Task A_coordinator_that_is_killed_and_comes_back_costs_a_run_nothing()
    {
        var run = await fixture.SubmitAsync(PoolFixture.Spec("coordinator-killed"));
        await PoolFixture.TrainedAsync(run, 40);
        var first = fixture.Pool.Coordinator.Mark;

        Signals.Send(first, Signals.Kill);

        await Eventually.TrueAsync("the coordinator is back", async () => fixture.Pool.Coordinator.Mark != first && await fixture.Api.IsReadyAsync(CancellationToken.None));
        var done = await PoolFixture.SucceededAsync(run);
        Assert.Single(done.Attempts);
        Assert.Equal(await fixture.StraightTraceAsync(), done.Trace);
    }
}
