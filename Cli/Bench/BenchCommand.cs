using System.CommandLine;
using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Bench.Queue;
using Hearth.Cli.Bench.Soak;
using Hearth.Cli.Bench.Takeover;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;
using Hearth.Runs;

namespace Hearth.Cli.Bench;

/// <summary><c>bench</c>: figures of a real pool on this machine, each from a pool of its own.</summary>
internal static class BenchCommand
{
    private const string Dataset = "bench";

    public static Command Create()
    {
        var resume = Measurement("resume", "Seconds from a SIGKILL of trainer or agent to detection and to the next step.", "--rounds", 5, ResumeBench.RunAsync);
        var checkpoint = Measurement("checkpoint", "How long training stands still for a checkpoint.", "--checkpoints", 20, CheckpointBench.RunAsync);
        var claim = Measurement("claim", "Seconds from a submit to the first heartbeat of its attempt.", "--submits", 50, ClaimBench.RunAsync);
        return new Command("bench", "Measure training and a pool on this machine.")
        {
            TrainerProgram.Forward("step", "Tokens a second of a training step beside its bare matrix products.", ["bench", "step"]),
            TrainerProgram.Forward("ops", "Kernels beside their forms in plain operators.", ["bench", "ops"]), LearnBench.Create(), resume, checkpoint, claim, QueueBench.Create(), TakeoverBench.Create(), SoakBench.Create(),
            CoordinatorProgram.Forward("batches", "Bytes of a batch of points or lines, and microseconds to read it, in both forms.", ["bench", "batches"]),
            CoordinatorProgram.Forward("decide", "Milliseconds of a scheduling pass, up to 10,000 waiting runs and 1,000 devices.", ["bench", "decide"]),
            DatabaseBench.Create("metrics", "Points taken in a second, bytes that a point takes, and milliseconds of charts: [--points N] [--json]."), PagesBench.Create(),
        };
    }

    /// <summary>A small run on the bench's dataset.</summary>
    public static RunSpec Spec(string name, int steps, int checkpointEvery) => new()
    {
        Name = name,
        Model = new ModelSpec { Family = "qovaryx", Size = "nano" },
        Data = new DataSpec { Dataset = Dataset, SeqLen = 64 },
        Train = new TrainSpec { Steps = steps, BatchTokens = 512 },
        Optimizer = new OptimizerSpec { WarmupSteps = 0 },
        Eval = new EvalSpec { EverySteps = 0 },
        Sample = new SampleSpec { EverySteps = 0 },
        Checkpoint = new CheckpointSpec { EverySteps = checkpointEvery },
    };

    /// <summary>Submits a run under a key of its own.</summary>
    public static Task<RunSummary> SubmitAsync(ApiClient api, RunSpec spec, CancellationToken stop, string? key = null) => api.PostAsync<RunSummary>(
        "runs", new SubmitRun(JsonSerializer.SerializeToElement(spec, Json.Wire)), stop, key: key ?? Guid.NewGuid().ToString());

    public static async Task CancelAsync(LocalPool pool, RunWatch watch, Guid run, CancellationToken stop)
    {
        await pool.Api.PostAsync<RunAction>($"runs/{run}/cancel", null, stop);
        await watch.UntilAsync("to end", r => r.Summary.State.IsTerminal() && r.Attempts.All(a => a.EndedAt is not null), TimeSpan.FromMinutes(1), stop);
    }

    private static Command Measurement(string name, string description, string count, int usual, Func<LocalPool, int, Output, CancellationToken, Task> measure)
    {
        var times = Given.Number(count, "How many.", usual, 1, 10_000);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command(name, description) { times, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            await PrivatePool.UseAsync(PoolOptions.Private(), temporary: true, Console.Error.WriteLine, async pool =>
            {
                await ImportAsync(pool.Api, stop);
                await measure(pool, parsed.GetValue(times), new Output(Console.Out, parsed.GetValue(json)), stop);
                return true;
            }, stop);
            return ExitCodes.Done;
        }));
        return command;
    }

    // Text that needs no package: the project's own pages.
    public static async Task ImportAsync(ApiClient api, CancellationToken stop)
    {
        string[] pages = [.. Directory.EnumerateFiles(Repository.Root, "*.md"), Path.Combine(Repository.Root, "docs")];
        await api.PostAsync<DatasetView>("datasets/import", new ImportDataset(Dataset, pages, "the project's own"), stop);
    }
}
