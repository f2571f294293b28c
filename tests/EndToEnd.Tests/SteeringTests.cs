using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>What a person asks of a run reaches its trainer.</summary>
[Collection(PoolCollection.Name)]
public sealed class SteeringTests(PoolFixture fixture)
{
    [Fact]
    public async Task A_cancelled_run_frees_its_device_at_once()
    {
        var run = await fixture.SubmitAsync(PoolFixture.Spec("cancelled", steps: 1_000_000));
        var training = await PoolFixture.TrainedAsync(run, 5);
        var trainer = Assert.Single(fixture.Pool.Trainers());

        var action = await fixture.ActAsync(training, "cancel");

        Assert.Equal(RunState.Cancelled, action.State);
        await Eventually.TrueAsync("the trainer is gone", () => !trainer.IsAlive());
        var after = await run.UntilAsync("to let go of its attempt", r => r.Attempts.All(a => a.EndedAt is not null), PoolFixture.Limit, CancellationToken.None);
        Assert.Equal(RunState.Cancelled, after.Summary.State);
    }

    [Fact]
    public async Task A_paused_run_gives_the_device_back_with_a_checkpoint_and_resumes_exactly()
    {
        var run = await fixture.SubmitAsync(PoolFixture.Spec("paused"));
        var training = await PoolFixture.TrainedAsync(run, 30);
        var trainer = Assert.Single(fixture.Pool.Trainers());

        await fixture.ActAsync(training, "pause");
        var paused = await run.UntilAsync("to pause", r => r.Summary.State == RunState.Paused, PoolFixture.Limit, CancellationToken.None);

        Assert.False(trainer.IsAlive());
        long step = paused.Checkpoints.Max(c => c.Step);
        Assert.Equal(paused.Summary.Step, step);
        await fixture.ActAsync(paused, "resume");
        var done = await PoolFixture.SucceededAsync(run);
        Assert.Equal(await fixture.StraightTraceAsync(), done.Trace);
    }
}
