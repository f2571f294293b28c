using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests.Support;

/// <summary>A fake coordinator, a home, and agents of it: what every whole-process test begins with.</summary>
internal sealed class Pool : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<AgentProcess> _agents = [];

    private readonly string? _home;

    private Pool(FakeCoordinator coordinator, string? home) => (Coordinator, _home) = (coordinator, home);

    public FakeCoordinator Coordinator { get; }

    public string Home => _home ?? _folder.At("home");

    /// <param name="home">Of its agents; null = a folder of the pool's own.</param>
    public static async Task<Pool> StartAsync(string? home = null) => new(await FakeCoordinator.StartAsync(), home);

    public AgentProcess Agent(string? trainer = null, params string[] options) => Agent(trainer, log: null, options);

    /// <param name="trainer">Null = the fake one.</param>
    /// <param name="log">File that its output is appended to, as a supervisor's would be; null = it is kept in memory.</param>
    /// <param name="options">More of its command line.</param>
    public AgentProcess Agent(string? trainer, string? log, string[] options)
    {
        var agent = AgentProcess.Join(Coordinator, Home, trainer, log, options);
        _agents.Add(agent);
        return agent;
    }

    /// <summary>A spec of the fake trainer; endless unless told otherwise.</summary>
    public static RunSpec Spec(string name = "run", int steps = 10_000_000, int checkpointEvery = 0) => new()
    {
        Name = name,
        Model = new ModelSpec { Family = "qovaryx", Size = "nano" },
        Data = new DataSpec { Dataset = "text" },
        Train = new TrainSpec { Steps = steps },
        Checkpoint = new CheckpointSpec { EverySteps = checkpointEvery },
    };

    public Task UntilAsync(Func<bool> condition, string what) => Eventually.TrueAsync(condition, what, Describe);

    public async Task<AttemptEnd> EndAsync(FakeAttempt attempt)
    {
        await UntilAsync(() => attempt.End is not null, "the attempt ends");
        return attempt.End!;
    }

    /// <summary>The trainer that the agent marked in the attempt's folder.</summary>
    public Task<Process> TrainerAsync() => Eventually.GetAsync(
        () => Directory.Exists(Home) && Directory.EnumerateFiles(Home, TrainerProcess.MarkFile, SearchOption.AllDirectories).FirstOrDefault() is { } file
            ? ProcessGroup.Find(JsonSerializer.Deserialize<ProcessMark>(File.ReadAllBytes(file), Json.Wire)!)
            : null,
        "a trainer runs",
        Describe);

    /// <summary>Every test ends with this: the protocol was kept.</summary>
    public void AssertProtocolKept() => Assert.Empty(Coordinator.Violations);

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in _agents)
        {
            agent.Dispose();
        }

        await Coordinator.DisposeAsync();
        _folder.Dispose();
    }

    private string Describe() =>
        string.Join('\n', Coordinator.Attempts.Values.Select(a => a.Describe()).Concat(Coordinator.Generations.Values.Select(g => g.Describe())).Concat(_agents.Select(a => "agent:\n" + a.Output)).Concat(Coordinator.Violations));
}
