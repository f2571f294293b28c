using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Demo;

/// <summary>The steps of the demo, in order.</summary>
internal sealed class DemoRun(LocalPool pool, IDemoView view, string text, string wordNet, int steps)
{
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan TrainLimit = TimeSpan.FromMinutes(30);

    public async Task<DemoSummary> RunAsync(CancellationToken stop)
    {
        var dataset = await pool.Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(DemoText.Name, [text], DemoText.License), stop);
        view.Say($"Imported {Text.Count(dataset.Files)} files, {Text.Bytes(dataset.Bytes)}, as {dataset.Name}.");
        var spec = JsonSerializer.SerializeToElement(Spec(), Json.Wire);
        var run = await pool.Api.PostAsync<RunSummary>("runs", new SubmitRun(spec), stop, key: Guid.NewGuid().ToString());

        Recovery? recovery = null;
        RunDetail? done = null;
        await view.ShowAsync("training", async show =>
        {
            var watch = new RunWatch(pool.Api, run.Id, r => show(RunProgress.Of(r)));

            // A little past half, so that it is not killed right at a checkpoint and has steps to repeat.
            long half = (steps / 2) + (steps / 24);
            await watch.UntilAsync("to get half way", r => r.Summary.Step >= half || r.Summary.State.IsTerminal(), TrainLimit, stop);
            recovery = await Recovery.MeasureAsync(watch, Victim(), RecoveryLimit, stop);
            done = await watch.UntilAsync("to finish", r => r.Summary.State.IsTerminal(), TrainLimit, stop);
        });
        view.Say($"Killed the trainer a little after half way: seen after {Text.Seconds(recovery!.DetectSeconds)}, training again after {Text.Seconds(recovery.ResumeSeconds)}.");
        if (done!.Summary.State != RunState.Succeeded)
        {
            throw new CliException($"The run ended {Text.Word(done.Summary.State)}: {done.Summary.Reason}");
        }

        string sample = await SampleAsync(run.Id, stop);
        view.Say($"A sample of the trained model: {sample}");
        var summary = await SummariseAsync(done, recovery, sample, stop);
        view.Say("Its last checkpoint learns to answer questions:");
        var (tuned, answers) = await new DemoTuning(pool, view, wordNet).RunAsync(done, Math.Max(20, steps / 4), stop);
        foreach (var answer in answers)
        {
            view.Say($"Asked {answer.Question} it says: {answer.Text}");
        }

        var losses = await LossesAsync(tuned, "validation_loss", stop);
        return summary with { TunedLossAtStart = losses[0], TunedLossAtEnd = losses[^1], Answers = answers };
    }

    private RunSpec Spec() => new()
    {
        Name = "demo",
        Model = new ModelSpec { Family = "qovaryx", Size = "nano" },
        Data = new DataSpec { Dataset = DemoText.Name, SeqLen = 128 },

        // The micro-batch is given since the sum's order, and so the trace's last bits, depends on it.
        Train = new TrainSpec { Steps = steps, BatchTokens = 2048, MicroBatch = 16 },
        Optimizer = new OptimizerSpec { Lr = 3e-3, WarmupSteps = Math.Min(20, steps / 4) },
        Eval = new EvalSpec { EverySteps = Math.Max(1, steps / 4), Rows = 32 },
        Sample = new SampleSpec { EverySteps = steps, Prompt = "The ", MaxTokens = 48 },
        Checkpoint = new CheckpointSpec { EverySteps = Math.Max(1, steps / 12) },
    };

    private IReadOnlyList<ProcessMark> Victim() => pool.Trainers() is { Count: > 0 } trainers
        ? trainers
        : throw new CliException("There is no trainer to kill: the run ended before half way.");

    private async Task<string> SampleAsync(Guid run, CancellationToken stop)
    {
        var samples = await pool.Api.GetAsync<IReadOnlyList<SampleView>>($"runs/{run}/samples", stop);
        return samples.OrderBy(s => s.Step).LastOrDefault() is { } last ? last.Prompt + last.Text : "";
    }

    private async Task<DemoSummary> SummariseAsync(RunDetail done, Recovery recovery, string sample, CancellationToken stop)
    {
        view.Say("The same run once more, straight through and without the pool:");
        var device = pool.Worker.Devices.First(d => d.Name == done.Attempts[^1].Device).Info.Kind;
        var spec = done.Spec.Deserialize<RunSpec>(Json.Wire)!;
        string trace = "";
        await view.ShowAsync("straight", async show => trace = (await StraightRun.RunAsync(
            spec,
            text,
            pool.PreparedPath,
            device is DeviceKind.Cuda or DeviceKind.Rocm ? "cuda:0" : "cpu",
            pool.Threads,
            said =>
            {
                if (said is StepEvent step)
                {
                    show(new RunProgress(step.Step, steps, step.Loss, step.TokensPerSecond, "running"));
                }
            },
            stop)).Trace);
        var losses = await LossesAsync(done, "loss", stop);
        return new DemoSummary
        {
            Steps = done.Summary.Step,
            LossAtStart = losses[0],
            LossAtEnd = losses.TakeLast(10).Average(),
            DetectSeconds = recovery.DetectSeconds,
            ResumeSeconds = recovery.ResumeSeconds,
            StepsRepeated = recovery.StepsRepeated,
            Trace = done.Trace ?? "",
            StraightTrace = trace,
            Sample = sample,
            Dashboard = pool.Address,
        };
    }

    private async Task<IReadOnlyList<double>> LossesAsync(RunDetail run, string key, CancellationToken stop) =>
        [.. (await pool.Api.GetAsync<MetricsResponse>($"runs/{run.Summary.Id}/metrics?keys={key}&points={Math.Min(steps, 10_000)}", stop)).Series.Single(s => s.Key == key).Mean.Select(m => (double)m)];
}
