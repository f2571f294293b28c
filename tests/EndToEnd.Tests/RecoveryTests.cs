using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>Whatever is killed, a run goes on exactly where it stopped.</summary>
[Collection(PoolCollection.Name)]
public sealed class RecoveryTests(PoolFixture fixture)
{
    public static TheoryData<string> Families => [.. PoolFixture.Families];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task A_familys_run_whose_trainer_is_killed_ends_with_the_trace_of_the_straight_run(string family)
    {
        var spec = await fixture.FamilySpecAsync(family, $"{family}-killed");
        var run = await fixture.SubmitAsync(spec);
        int steps = spec.Train.Steps;
        await PoolFixture.TrainedAsync(run, steps / 4);

        // Beside it, from the text that it has tokenised: what a step computes does not depend on when.
        var straight = fixture.StraightTraceAsync(spec);
        await Recovery.MeasureAsync(run, fixture.Pool.Trainers(), PoolFixture.Limit, CancellationToken.None);

        var done = await PoolFixture.SucceededAsync(run);
        Assert.Equal([(1, AttemptState.Lost), (2, AttemptState.Succeeded)], done.Attempts.OrderBy(a => a.Number).Select(a => (a.Number, a.State)));
        Assert.True(done.Attempts.Single(a => a.Number == 2).FirstStep >= steps / 8, "the second attempt did not go on from a checkpoint");
        Assert.Equal(await straight, done.Trace);

        Assert.Contains(done.Checkpoints, c => c.Step == steps && c.Status == "kept" && c.Trace == done.Trace);
        var samples = await fixture.Api.GetAsync<IReadOnlyList<SampleView>>($"runs/{done.Summary.Id}/samples", CancellationToken.None);
        Assert.Equal([steps / 2, steps], samples.Select(s => s.Step).Distinct().Order());
        Assert.True(done.Summary.ValidationLoss > 0, "the run was not validated");
    }

    [Fact]
    public async Task No_family_is_left_out() =>
        Assert.Equal((await fixture.Api.GetAsync<ModelsResponse>("models", CancellationToken.None)).Families.Select(f => f.Name), PoolFixture.Families);

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
