using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Cli.Demo;

/// <summary>A question to the tuned model.</summary>
/// <param name="Question">As it was asked.</param>
/// <param name="Text">Its answer.</param>
/// <param name="Ended">Whether the model ended its turn by itself.</param>
internal sealed record DemoAnswer(string Question, string Text, bool Ended);

/// <summary>The second half of the demo: the trained model is tuned on questions and answers from its last checkpoint on, and then asked.</summary>
internal sealed class DemoTuning(LocalPool pool, IDemoView view, string wordNet)
{
    private const int EveryNth = 30;
    private const int MostTokens = 64;
    private static readonly string[] Words = ["function", "number"];
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    /// <param name="trained">The run whose last checkpoint is tuned.</param>
    /// <param name="steps">Of the tuning run.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="CliException">The run failed, or a question was not answered.</exception>
    public async Task<(RunDetail Run, IReadOnlyList<DemoAnswer> Answers)> RunAsync(RunDetail trained, int steps, CancellationToken stop)
    {
        await ImportAsync(stop);

        var spec = JsonSerializer.SerializeToElement(Spec(trained, steps), Json.Wire);
        var run = await pool.Api.PostAsync<RunSummary>("runs", new SubmitRun(spec), stop, key: Guid.NewGuid().ToString());
        RunDetail? done = null;
        await view.ShowAsync("tuning", async show =>
        {
            var watch = new RunWatch(pool.Api, run.Id, r => show(RunProgress.Of(r)));
            done = await watch.UntilAsync("to finish", r => r.Summary.State.IsTerminal(), Limit, stop);
        });
        if (done!.Summary.State != RunState.Succeeded)
        {
            throw new CliException($"The tuning run ended {Text.Word(done.Summary.State)}: {done.Summary.Reason}");
        }

        var answers = new List<DemoAnswer>();
        foreach (string word in Words)
        {
            answers.Add(await AskAsync(done.Checkpoints[0].Id, WordNetGlosses.Question(word), stop));
        }

        return (done, answers);
    }

    private async Task ImportAsync(CancellationToken stop)
    {
        string folder = Directory.CreateTempSubdirectory("hearth-glosses-").FullName;
        try
        {
            string path = Path.Combine(folder, "glosses.jsonl");
            WordNetGlosses.Write(wordNet, path, EveryNth);
            var dataset = await pool.Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(WordNetGlosses.Name, [path], WordNetGlosses.License), stop);
            view.Say($"Imported {Text.Count(File.ReadLines(path).Count())} of WordNet's glosses as questions and answers, as {dataset.Name}.");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static RunSpec Spec(RunDetail trained, int steps)
    {
        var before = trained.Spec.Deserialize<RunSpec>(Json.Wire)!;
        return before with
        {
            Name = "demo-sft",
            Task = RunTasks.Sft,
            StartFrom = $"r-{trained.Summary.Number}",
            Data = before.Data with { Dataset = WordNetGlosses.Name },
            Train = before.Train with { Steps = steps },
            Optimizer = before.Optimizer with { Lr = before.Optimizer.Lr / 2, WarmupSteps = Math.Min(10, steps / 4) },
            Eval = new EvalSpec { EverySteps = Math.Max(1, steps / 4), Rows = 16 },
            Sample = new SampleSpec { EverySteps = 0 },
            Checkpoint = new CheckpointSpec { EverySteps = 0 },
        };
    }

    private async Task<DemoAnswer> AskAsync(Guid checkpoint, string question, CancellationToken stop)
    {
        var asked = await pool.Api.PostAsync<GenerationView>(
            "generations", new StartGeneration { CheckpointId = checkpoint, Messages = [new ChatTurn(Data.ChatRow.User, question)], Temperature = 0, MaxTokens = MostTokens }, stop);
        string text = "";
        await foreach (var happened in pool.Api.EventsAsync<GenerationEvent>($"generations/{asked.Id}/events", stop))
        {
            text += (happened as GenerationToken)?.Text;
            if (happened.IsLast)
            {
                return happened is GenerationDone done
                    ? new DemoAnswer(question, text.Trim(), done.Reason == GenerationDone.End)
                    : throw new CliException($"The question was not answered: {(happened as GenerationFailed)?.Message ?? "it was stopped"}");
            }
        }

        throw new CliException("The answer broke off: the coordinator no longer knows the request.");
    }
}
