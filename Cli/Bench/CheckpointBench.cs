using Hearth.Api;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;
using Hearth.Runs;

namespace Hearth.Cli.Bench;

/// <summary>The pause of each checkpoint beside the time of a step.</summary>
internal static class CheckpointBench
{
    private const int Every = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    public static async Task RunAsync(LocalPool pool, int checkpoints, Output output, CancellationToken stop)
    {
        var spec = BenchCommand.Spec("bench-checkpoint", checkpoints * Every, Every) with { Checkpoint = new CheckpointSpec { EverySteps = Every, KeepLast = 1000 } };
        var run = await BenchCommand.SubmitAsync(pool.Api, spec, stop);
        var done = await new RunWatch(pool.Api, run.Id).UntilAsync("to finish", r => r.Summary.State.IsTerminal(), Limit, stop);
        if (done.Summary.State != RunState.Succeeded)
        {
            throw new CliException($"The run ended {Text.Word(done.Summary.State)}: {done.Summary.Reason}");
        }

        var seconds = (await pool.Api.GetAsync<MetricsResponse>($"runs/{run.Id}/metrics?keys=step_seconds&points={spec.Train.Steps}", stop)).Series.Single();
        var step = new Sample(seconds.Mean.Select(s => (double)s));
        var pause = new Sample(done.Checkpoints.Select(c => c.PauseSeconds));
        var figures = new
        {
            checkpoints = pause.Count,
            step_seconds_p50 = step.Median,
            pause_seconds_p50 = pause.Median,
            pause_seconds_max = pause.Max,
            pause_share_of_step_p50 = pause.Median / step.Median,
            pause_share_of_step_max = pause.Max / step.Median,
        };
        output.Show(figures, f => output.Table(
            ["checkpoints", "step p50", "pause p50", "max", "pause in steps p50", "max"],
            [[
                Text.Count(f.checkpoints), Text.Milliseconds(f.step_seconds_p50), Text.Milliseconds(f.pause_seconds_p50), Text.Milliseconds(f.pause_seconds_max),
                Text.Percent(f.pause_share_of_step_p50), Text.Percent(f.pause_share_of_step_max),
            ]]));
    }
}
