using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Hearth.Cli.Client;
using Hearth.Cli.Demo;
using Hearth.Cli.Pool;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Bench;

/// <summary>What a family learnt in the run that its recipe for nano describes.</summary>
/// <param name="Family">Its name.</param>
/// <param name="Steps">Of the run.</param>
/// <param name="PrepareSeconds">From the start to a tokenised text.</param>
/// <param name="Seconds">From the start to the last checkpoint, preparing included.</param>
/// <param name="FirstStep">Step of the first validation.</param>
/// <param name="FirstLoss">Validation loss then, in nats a token.</param>
/// <param name="LastLoss">Validation loss at the end.</param>
/// <param name="Trace">Of the whole run.</param>
internal sealed record Learnt(string Family, int Steps, double PrepareSeconds, double Seconds, long FirstStep, double FirstLoss, double LastLoss, string Trace);

/// <summary>
/// <c>bench learn</c>: each family's recipe for nano on the Python documentation, as <c>runs new</c> writes it and <c>train</c> runs it,
/// its tokenizer trained anew.
/// </summary>
internal static class LearnBench
{
    private const string Nano = "nano";

    public static Command Create()
    {
        var family = new Option<string?>("--family") { Description = "One family; every one when left out." };
        var threads = Given.Number("--threads", "Compute threads; 0 takes the trainer's usual number.", 0, 0, 1024);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("learn", "Validation loss that each family's nano reaches on real text, and how long it takes.") { family, threads, json };
        command.SetAction((parsed, stop) => Guard.RunAsync(async () =>
        {
            string text = DemoText.Find();
            var learnt = new List<Learnt>();
            foreach (string name in parsed.GetValue(family) is { } one ? [one] : await FamiliesAsync(stop))
            {
                Console.Error.WriteLine($"Training {name} {Nano} ...");
                learnt.Add(await MeasureAsync(name, text, parsed.GetValue(threads), stop));
            }

            var output = new Output(Console.Out, parsed.GetValue(json));
            return output.Show(learnt, all => output.Table(
                ["family", "steps", "prepared after", "done after", "first validation", "loss", "loss at the end", "trace"],
                all.Select(Row)));
        }));
        return command;
    }

    /// <summary>Trains one family once, from raw text to the last checkpoint; nothing is kept.</summary>
    /// <param name="family">Its name.</param>
    /// <param name="text">File or folder to learn from.</param>
    /// <param name="threads">Compute threads; 0 = as the trainer chooses.</param>
    /// <param name="stop">Kills the trainer.</param>
    /// <exception cref="CliException">No such family, or its trainer failed.</exception>
    public static async Task<Learnt> MeasureAsync(string family, string text, int threads, CancellationToken stop)
    {
        var spec = JsonSerializer.Deserialize<RunSpec>(await TrainerProgram.ReadAsync(["recipe", family, Nano, "--dataset", DemoText.Name, "--json"], stop), Json.Wire)!;
        var evals = new List<EvalEvent>();
        double prepared = 0;
        string cache = Directory.CreateTempSubdirectory("hearth-learn-").FullName;
        try
        {
            long began = Stopwatch.GetTimestamp();
            var done = await StraightRun.RunAsync(spec, text, cache, "cpu", threads, Hear, stop);
            return new Learnt(family, spec.Train.Steps, prepared, Stopwatch.GetElapsedTime(began).TotalSeconds, evals[0].Step, evals[0].Loss, evals[^1].Loss, done.Trace);

            void Hear(TrainerEvent said)
            {
                if (said is EvalEvent eval)
                {
                    evals.Add(eval);
                }
                else if (said is PreparedEvent)
                {
                    prepared = Stopwatch.GetElapsedTime(began).TotalSeconds;
                }
            }
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    private static async Task<IReadOnlyList<string>> FamiliesAsync(CancellationToken stop)
    {
        using var models = JsonDocument.Parse(await TrainerProgram.ReadAsync(["models", "--json"], stop));
        return [.. models.RootElement.EnumerateArray().Select(m => m.GetProperty("family").GetString()!).Distinct()];
    }

    private static string[] Row(Learnt l) =>
    [
        l.Family, Text.Count(l.Steps), Text.Seconds(l.PrepareSeconds), Text.Seconds(l.Seconds), $"step {Text.Count(l.FirstStep)}", Text.Loss(l.FirstLoss), Text.Loss(l.LastLoss), l.Trace,
    ];
}
