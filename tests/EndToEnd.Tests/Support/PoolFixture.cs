using System.Text.Json;
using Hearth.Api;
using Hearth.Cli;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>One real pool for all tests of a collection: PostgreSQL, coordinator, agent, and trainers as runs need them.</summary>
public sealed class PoolFixture : IAsyncLifetime
{
    public const string Dataset = "sources";

    /// <summary>Every family of the API, which a test compares; test runners want to know theories before there is a pool.</summary>
    public static readonly IReadOnlyList<string> Families = ["qovaryx", "moa", "positronic", "hybrid", "vuaf"];
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly string _text = Directory.CreateTempSubdirectory("hearth-text-").FullName;
    private readonly PoolOptions _options = PoolOptions.Private();
    private readonly Dictionary<string, Task<string>> _straightTraces = new(StringComparer.Ordinal);

    internal LocalPool Pool { get; private set; } = null!;

    internal ApiClient Api => Pool.Api;

    public async Task InitializeAsync()
    {
        WriteText(_text);
        Pool = await LocalPool.StartAsync(_options, Console.WriteLine, CancellationToken.None);
        await Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(Dataset, [_text], "the project's own"), CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        await Pool.DisposeAsync();
        Directory.Delete(_options.DataPath, recursive: true);
        Directory.Delete(_text, recursive: true);
    }

    /// <summary>Some hundred kilobytes of real text: the project's own sources.</summary>
    public static void WriteText(string folder)
    {
        foreach (string source in Directory.EnumerateFiles(Path.Combine(Repository.Root, "Shared"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal)))
        {
            File.Copy(source, Path.Combine(folder, Path.GetFileNameWithoutExtension(source) + ".txt"));
        }
    }

    /// <summary>A run of nano that takes some seconds; its micro-batch is given, so that its trace is one for all runs.</summary>
    internal static RunSpec Spec(string name, int steps = 160) => new()
    {
        Name = name,
        Model = new ModelSpec { Family = "qovaryx", Size = "nano" },
        Data = new DataSpec { Dataset = Dataset, SeqLen = 64 },
        Train = new TrainSpec { Steps = steps, BatchTokens = 512, MicroBatch = 8 },
        Optimizer = new OptimizerSpec { Lr = 3e-3, WarmupSteps = 10 },
        Eval = new EvalSpec { EverySteps = 0 },
        Sample = new SampleSpec { EverySteps = 0 },
        Checkpoint = new CheckpointSpec { EverySteps = 20 },
    };

    /// <summary>The family's recipe for nano, cut to some seconds, that validates, samples and is kept on the way.</summary>
    internal async Task<RunSpec> FamilySpecAsync(string family, string name)
    {
        var models = await Api.GetAsync<ModelsResponse>("models", CancellationToken.None);
        var recipe = models.Presets.Single(p => p.Spec.Model is { Size: "nano" } model && model.Family == family).Spec;

        // Long enough that none is over before its kill is due.
        var (steps, batchTokens) = family is "qovaryx" or "hybrid" ? (160, 512) : (80, 256);
        return recipe with
        {
            Name = name,
            Data = recipe.Data with { Dataset = Dataset, SeqLen = 64 },
            Train = recipe.Train with { Steps = steps, BatchTokens = batchTokens, MicroBatch = 4 },
            Optimizer = recipe.Optimizer with { WarmupSteps = 10 },
            Eval = new EvalSpec { EverySteps = steps / 2, Rows = 8 },
            Sample = new SampleSpec { EverySteps = steps / 2, MaxTokens = 8 },
            Checkpoint = new CheckpointSpec { EverySteps = steps / 8 },
        };
    }

    internal async Task<RunWatch> SubmitAsync(RunSpec spec)
    {
        var run = await Api.PostAsync<RunSummary>("runs", new SubmitRun(JsonSerializer.SerializeToElement(spec, Json.Wire)), CancellationToken.None, Guid.NewGuid().ToString());
        return new RunWatch(Api, run.Id);
    }

    internal async Task CancelLiveRunsAsync()
    {
        foreach (var run in (await Api.GetAsync<Page<RunSummary>>("runs?state=queued,starting,running,preempting,paused", CancellationToken.None)).Items)
        {
            await Api.PostAsync<RunAction>($"runs/{run.Id}/cancel", null, CancellationToken.None);
        }
    }

    internal Task<RunAction> ActAsync(RunDetail run, string verb) => Api.PostAsync<RunAction>($"runs/{run.Summary.Id}/{verb}", null, CancellationToken.None);

    internal static async Task<RunDetail> TrainedAsync(RunWatch run, long step)
    {
        var at = await run.UntilAsync($"to reach step {step}", r => r.Summary.Step >= step || r.Summary.State.IsTerminal(), Limit, CancellationToken.None);
        Assert.True(at.Summary.Step >= step, $"the run ended {at.Summary.State} at step {at.Summary.Step}: {at.Summary.Reason}");
        return at;
    }

    /// <summary>Waits for the end and holds that it was a good one.</summary>
    internal static async Task<RunDetail> SucceededAsync(RunWatch run)
    {
        var done = await run.UntilAsync("to end", r => r.Summary.State.IsTerminal(), Limit, CancellationToken.None);
        Assert.True(done.Summary.State == RunState.Succeeded, $"the run ended {done.Summary.State}: {done.Summary.Reason}");
        return done;
    }

    /// <summary>Trace of <see cref="Spec"/> without pool, kill or pause.</summary>
    internal Task<string> StraightTraceAsync() => StraightTraceAsync(Spec("straight"));

    /// <summary>Trace of a run without pool, kill or pause; each is trained once for all tests.</summary>
    internal Task<string> StraightTraceAsync(RunSpec spec)
    {
        string same = JsonSerializer.Serialize(spec with { Name = "" }, Json.Wire);
        if (!_straightTraces.TryGetValue(same, out var trace))
        {
            trace = TrainStraightAsync(spec);
            _straightTraces[same] = trace;
        }

        return trace;
    }

    private async Task<string> TrainStraightAsync(RunSpec spec) =>
        (await StraightRun.RunAsync(spec, _text, Pool.PreparedPath, "cpu", Pool.Threads, _ => { }, CancellationToken.None)).Trace;
}

[CollectionDefinition(Name)]
public sealed class PoolCollection : ICollectionFixture<PoolFixture>
{
    public const string Name = "one pool";
}
