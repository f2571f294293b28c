using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>A sweep whose trials are really trained, and whose agent is killed on the way.</summary>
[Collection(PoolCollection.Name)]
[Trait("Category", "Slow")]
public sealed class SweepTests(PoolFixture fixture)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task A_sweep_whose_agent_is_killed_ends_with_its_best_trial_trained_as_if_nothing_had_happened()
    {
        var spec = PoolFixture.Spec("base", steps: 80) with { Eval = new EvalSpec { EverySteps = 40, Rows = 8 } };
        var sweep = await fixture.Api.PostAsync<SweepSummary>(
            "sweeps",
            new SubmitSweep
            {
                Name = "rates",
                Spec = JsonSerializer.SerializeToElement(spec, Json.Wire),
                Space = [new SweepField { Field = "optimizer.lr", Values = [Number(1e-6), Number(3e-3), Number(1e-5), Number(1e-4)] }],
                Search = new SweepSearch { Method = SearchMethod.Grid, Halving = Halving.Asha, FirstRung = 20, Factor = 2 },
                Parallel = 2,
            },
            CancellationToken.None,
            Guid.NewGuid().ToString());

        await UntilAsync(sweep, "a trial to be past its first rung", d => d.Trials.Any(t => t.Results.Count > 0) && d.Trials.Any(t => t.Status == TrialStatus.Training && t.Step > 0));
        Signals.Send(fixture.Pool.Agent.Mark, Signals.Kill);
        var done = await UntilAsync(sweep, "to be done", d => d.Summary.State != SweepStateName.Running);

        Assert.Equal(SweepStateName.Done, done.Summary.State);
        Assert.Equal(4, done.Trials.Count);
        Assert.Equal(1, done.Summary.BestTrial);
        Assert.DoesNotContain(done.Trials, t => t.Status == TrialStatus.Failed);
        Assert.Contains($"Best of 4 of 4 trials is trial 1 with validation_loss", done.Decisions[0].Sentence, StringComparison.Ordinal);

        // It waited at both rungs, went on from its checkpoints, and each time the loss of the very rung was compared.
        var best = await fixture.Api.GetAsync<RunDetail>($"runs/{done.Trials[1].RunId}", CancellationToken.None);
        Assert.Equal([20L, 40, 80], done.Trials[1].Results.Select(r => r.Step));
        Assert.Superset(new HashSet<long> { 0, 20, 40 }, best.Attempts.Select(a => a.FirstStep).ToHashSet());
        Assert.Equal(await fixture.StraightTraceAsync(spec with { Optimizer = spec.Optimizer with { Lr = 3e-3 } }), best.Trace);
    }

    private static JsonElement Number(double value) => JsonSerializer.SerializeToElement(value);

    private async Task<SweepDetail> UntilAsync(SweepSummary sweep, string what, Func<SweepDetail, bool> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            var detail = await fixture.Api.GetAsync<SweepDetail>($"sweeps/{sweep.Id}", limit.Token);
            if (condition(detail))
            {
                return detail;
            }

            Assert.False(limit.IsCancellationRequested, $"{sweep.Name} did not come {what}");
            await Task.Delay(300, CancellationToken.None);
        }
    }
}
