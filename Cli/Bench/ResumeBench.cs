using Hearth.Cli.Client;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Bench;

/// <summary>Kills trainer and agent in turn, each time in the middle of training.</summary>
internal static class ResumeBench
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static async Task RunAsync(LocalPool pool, int rounds, Output output, CancellationToken stop)
    {
        var run = await BenchCommand.SubmitAsync(pool.Api, BenchCommand.Spec("bench-resume", steps: 10_000_000, checkpointEvery: 50), stop);
        var watch = new RunWatch(pool.Api, run.Id);
        var trainer = new List<Recovery>();
        var agent = new List<Recovery>();
        for (int round = 0; round < rounds; round++)
        {
            await TrainOnAsync(watch, stop);
            trainer.Add(await Recovery.MeasureAsync(watch, pool.Trainers(), Limit, stop));
            await TrainOnAsync(watch, stop);
            agent.Add(await Recovery.MeasureAsync(watch, [pool.Agent.Mark], Limit, stop));
        }

        await BenchCommand.CancelAsync(pool, watch, run.Id, stop);
        output.Show(new { trainer, agent }, _ => output.Table(
            ["killed", "rounds", "detected p50", "max", "next step p50", "max", "steps repeated p50", "max"],
            [Row("trainer", trainer), Row("agent", agent)]));
    }

    // Until the present attempt has a checkpoint of its own, so that every round loses the same kind of work.
    private static async Task TrainOnAsync(RunWatch watch, CancellationToken stop)
    {
        long newest = (await watch.ReadAsync(stop)).Checkpoints.Select(c => c.Step).DefaultIfEmpty(0).Max();
        var there = await watch.UntilAsync("to checkpoint", r => r.Checkpoints.Any(c => c.Step > newest), Limit, stop);
        long step = there.Summary.Step;
        await watch.UntilAsync("to train on", r => r.Summary.Step > step, Limit, stop);
    }

    private static string[] Row(string killed, List<Recovery> all)
    {
        var (detect, resume) = (new Sample(all.Select(r => r.DetectSeconds)), new Sample(all.Select(r => r.ResumeSeconds)));
        var repeated = new Sample(all.Select(r => (double)r.StepsRepeated));
        return
        [
            killed, Text.Count(all.Count), Text.Seconds(detect.Median), Text.Seconds(detect.Max),
            Text.Seconds(resume.Median), Text.Seconds(resume.Max), Text.Count((long)repeated.Median), Text.Count((long)repeated.Max),
        ];
    }
}
