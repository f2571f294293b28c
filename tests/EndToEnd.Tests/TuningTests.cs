using Hearth.Api;
using Hearth.Cli.Demo;
using Hearth.Cli.Pool;
using Hearth.Data;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>A checkpoint of the pool is tuned on conversations, its trainer killed on the way, and what comes of it is asked.</summary>
[Collection(PoolCollection.Name)]
public sealed class TuningTests(PoolFixture fixture)
{
    private const string Glosses = "glosses";
    private const int Steps = 40;

    // Conversations packed into rows, and one a row; a template of plain lines, and one of tokens.
    [Theory]
    [InlineData("qovaryx")]
    [InlineData("vuaf")]
    public async Task A_tuned_run_whose_trainer_is_killed_ends_as_the_one_that_was_not_and_answers(string family)
    {
        await ImportAsync();
        var pretraining = await fixture.FamilySpecAsync(family, $"{family}-base");
        pretraining = pretraining with { Train = pretraining.Train with { Steps = Steps }, Eval = pretraining.Eval with { EverySteps = 0 }, Sample = new SampleSpec { EverySteps = 0 } };
        var trained = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(pretraining));
        var spec = Tuning(pretraining, trained);

        var killed = await fixture.SubmitAsync(spec);
        await PoolFixture.TrainedAsync(killed, Steps / 4);
        await Recovery.MeasureAsync(killed, fixture.Pool.Trainers(), PoolFixture.Limit, CancellationToken.None);
        var resumed = await PoolFixture.SucceededAsync(killed);
        var straight = await PoolFixture.SucceededAsync(await fixture.SubmitAsync(spec with { Name = $"{family}-straight" }));

        Assert.Equal(straight.Trace, resumed.Trace);
        Assert.NotEqual(trained.Trace, resumed.Trace);
        Assert.Equal($"r-{trained.Summary.Number}@{Steps}", resumed.Spec.GetProperty("start_from").GetString());
        string tokenizer = Tokenizer(trained);
        Assert.Equal((tokenizer, tokenizer), (Tokenizer(resumed), Tokenizer(straight)));
        var samples = await fixture.Api.GetAsync<IReadOnlyList<SampleView>>($"runs/{resumed.Summary.Id}/samples", CancellationToken.None);
        Assert.All(samples, s => Assert.Equal(WordNetGlosses.Question("number"), s.Prompt));
        Assert.Contains(await AnswerAsync(resumed), e => e is GenerationToken);
    }

    private async Task ImportAsync()
    {
        if ((await fixture.Api.GetAsync<DatasetView[]>("datasets", CancellationToken.None)).Any(d => d.Name == Glosses))
        {
            return;
        }

        string folder = Directory.CreateTempSubdirectory("hearth-glosses-").FullName;
        try
        {
            WordNetGlosses.Write(WordNetGlosses.Find(), Path.Combine(folder, "glosses.jsonl"), nth: 300);
            var made = await fixture.Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(Glosses, [folder], WordNetGlosses.License), CancellationToken.None);
            Assert.Equal(DatasetKinds.Chat, made.Kind);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static RunSpec Tuning(RunSpec pretraining, RunDetail trained) => pretraining with
    {
        Name = $"{pretraining.Model.Family}-tuned",
        Task = RunTasks.Sft,
        StartFrom = $"r-{trained.Summary.Number}",
        Data = pretraining.Data with { Dataset = Glosses },
        Eval = new EvalSpec { EverySteps = Steps / 2, Rows = 8 },
        Sample = new SampleSpec { EverySteps = Steps / 2, Prompt = WordNetGlosses.Question("number"), MaxTokens = 8 },
        Checkpoint = new CheckpointSpec { EverySteps = Steps / 8 },
    };

    private static string Tokenizer(RunDetail run) =>
        run.Checkpoints.First(c => c.Status == "kept").Files.Single(f => f.Name is "spm.model" or "tokenizer.json").Sha256;

    private async Task<List<GenerationEvent>> AnswerAsync(RunDetail run)
    {
        var request = new StartGeneration
        {
            CheckpointId = run.Checkpoints.First(c => c.Status == "kept").Id,
            Messages = [new Protocol.ChatTurn(ChatRow.User, WordNetGlosses.Question("number"))],
            MaxTokens = 16,
            Temperature = 0,
        };
        var asked = await fixture.Api.PostAsync<GenerationView>("generations", request, CancellationToken.None);
        var events = new List<GenerationEvent>();
        await foreach (var happened in fixture.Api.EventsAsync<GenerationEvent>($"generations/{asked.Id}/events", CancellationToken.None))
        {
            events.Add(happened);
        }

        Assert.IsType<GenerationDone>(events[^1]);
        return events;
    }
}
