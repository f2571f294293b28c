using System.Diagnostics;
using System.Globalization;
using Hearth.Api;
using Hearth.Cli.Client;

namespace Hearth.Cli.Pool;

/// <summary>
/// A whole pool on this machine: PostgreSQL, coordinator and one agent with every device. Started in that order and stopped in
/// the reverse one, so that the agent can still hand over its checkpoints.
/// </summary>
internal sealed class LocalPool : IAsyncDisposable
{
    // A line per request would fill the log within hours of heartbeats.
    private const string Quiet = "--Logging:LogLevel:Microsoft.AspNetCore=Warning";
    private static readonly TimeSpan ReadyLimit = TimeSpan.FromSeconds(60);
    private readonly PoolFolder _folder;
    private readonly PoolOptions _options;
    private readonly Action<string> _say;
    private readonly List<ChildProcess> _started = [];
    private Task? _stop;

    private LocalPool(PoolFolder folder, PoolOptions options, Action<string> say)
    {
        (_folder, _options, _say) = (folder, options, say);
        Address = new Uri($"http://localhost:{options.Port}/");
    }

    public Uri Address { get; }

    public string DataPath => _folder.Root;

    /// <summary>Compute threads of each trainer; 0 is the agent's default.</summary>
    public int Threads => _options.Threads;

    /// <summary>As the admin.</summary>
    public ApiClient Api { get; private set; } = null!;

    public string AdminToken { get; private set; } = "";

    /// <summary>True when this start made the pool's first token.</summary>
    public bool IsFirstStart { get; private set; }

    public WorkerView Worker { get; private set; } = null!;

    public ChildProcess Agent { get; private set; } = null!;

    public ChildProcess Coordinator { get; private set; } = null!;

    /// <summary>Null with a database of somebody else.</summary>
    public ChildProcess? Postgres { get; private set; }

    /// <summary>Where trainers of this machine keep prepared datasets.</summary>
    public string PreparedPath => Path.Combine(_folder.AgentPath, "cache", "prepared");

    /// <summary>Starts everything and waits until the worker is in the pool.</summary>
    /// <param name="options">Checked here.</param>
    /// <param name="say">Told in sentences what happens, later too: called from other threads.</param>
    /// <param name="stop">Ends the start; what was started is stopped again.</param>
    /// <exception cref="CliException">The folder is held, the port is taken or a part does not start.</exception>
    public static async Task<LocalPool> StartAsync(PoolOptions options, Action<string> say, CancellationToken stop)
    {
        var pool = new LocalPool(new PoolFolder(options.DataPath, options.Port), options, say);
        try
        {
            await Leftovers.StopAsync(pool._folder, say);
            options.CheckPort();
            string database = options.Database ?? await pool.StartPostgresAsync(stop);
            await pool.StartCoordinatorAsync(database, stop);
            await pool.StartAgentAsync(stop);
            return pool;
        }
        catch
        {
            await pool.StopAsync();
            throw;
        }
    }

    /// <summary>Live trainers of this machine's agent.</summary>
    public IReadOnlyList<ProcessMark> Trainers() => [.. _folder.Trainers().Where(t => t.IsAlive())];

    /// <summary>Agent, then coordinator, then database. May be called twice.</summary>
    public Task StopAsync() => _stop ??= StopOnceAsync();

    public async ValueTask DisposeAsync() => await StopAsync();

    private async Task StopOnceAsync()
    {
        foreach (var child in Enumerable.Reverse(_started))
        {
            _say($"Stopping the {child.Name} ...");
            await child.DisposeAsync();
        }

        Api?.Dispose();
        _folder.Dispose();
    }

    private async Task<string> StartPostgresAsync(CancellationToken stop)
    {
        var cluster = PostgresCluster.In(_folder.Root);
        if (cluster.Home != _folder.PostgresPath)
        {
            _say($"The database is in {cluster.Home}, since its account cannot enter {_folder.Root}.");
        }

        Postgres = await cluster.StartAsync(_folder, _say, stop);
        _started.Add(Postgres);
        return cluster.Connection;
    }

    private async Task StartCoordinatorAsync(string database, CancellationToken stop)
    {
        IsFirstStart = !File.Exists(_folder.TokenPath);
        var plan = new ChildPlan(
            "coordinator",
            ["dotnet", Repository.Coordinator, "--urls", $"http://{_options.Listen}:{_options.Port}", "--contentRoot", Repository.CoordinatorContent, Quiet],
            new Dictionary<string, string>
            {
                ["HEARTH_DATABASE"] = database,
                ["HEARTH_DATA"] = _folder.StorePath,
                ["HEARTH_ADMIN_TOKEN_FILE"] = _folder.TokenPath,
            },
            Signals.Terminate,
            TimeSpan.FromSeconds(10));
        Coordinator = ChildProcess.Start(plan, _folder, _say);
        _started.Add(Coordinator);
        using (var probe = new ApiClient(Address, token: null))
        {
            await UntilAsync(probe.IsReadyAsync, Coordinator, "The coordinator did not become ready", stop);
        }

        AdminToken = await ReadTokenAsync(stop);
        Api = new ApiClient(Address, AdminToken);
    }

    private async Task<string> ReadTokenAsync(CancellationToken stop)
    {
        if (Environment.GetEnvironmentVariable("HEARTH_TOKEN") is { Length: > 0 } given && _options.Database is not null)
        {
            return given;
        }

        return File.Exists(_folder.TokenPath)
            ? (await File.ReadAllTextAsync(_folder.TokenPath, stop)).Trim()
            : throw new CliException($"The database has an admin token already, and {_folder.TokenPath} does not hold it. Write it there, or give it in HEARTH_TOKEN.", ExitCodes.NotAllowed);
    }

    private async Task StartAgentAsync(CancellationToken stop)
    {
        var environment = new Dictionary<string, string> { ["HEARTH_TRAINER"] = Repository.Trainer };
        if (!File.Exists(Path.Combine(_folder.AgentPath, "worker.json")))
        {
            environment["HEARTH_JOIN_CODE"] = (await Api.PostAsync<JoinCodeView>("workers/join-codes", null, stop)).Code;
        }

        string[] threads = _options.Threads > 0 ? ["--threads", _options.Threads.ToString(CultureInfo.InvariantCulture)] : [];
        var plan = new ChildPlan(
            "agent",
            ["dotnet", Repository.Agent, "--coordinator", Address.ToString(), "--name", _options.WorkerName, "--home", _folder.AgentPath, .. threads],
            environment,
            Signals.Terminate,
            TimeSpan.FromSeconds(35));
        Agent = ChildProcess.Start(plan, _folder, _say);
        _started.Add(Agent);
        await UntilAsync(FindWorkerAsync, Agent, "The agent did not join", stop);
    }

    private async Task<bool> FindWorkerAsync(CancellationToken stop)
    {
        var workers = await Api.GetAsync<IReadOnlyList<WorkerView>>("workers", stop);

        // By id: where the name was taken, as by this machine's worker of before a restore, it was given another.
        if (workers.FirstOrDefault(w => w.Id == _folder.WorkerId && w.Online) is not { } found)
        {
            return false;
        }

        Worker = found;
        return true;
    }

    private static async Task UntilAsync(Func<CancellationToken, Task<bool>> condition, ChildProcess child, string otherwise, CancellationToken stop)
    {
        long began = Stopwatch.GetTimestamp();
        while (!await condition(stop))
        {
            if (Stopwatch.GetElapsedTime(began) > ReadyLimit)
            {
                throw new CliException($"{otherwise}. The end of {child.LogPath}:\n{child.LogTail()}");
            }

            await Task.Delay(50, stop);
        }
    }
}
