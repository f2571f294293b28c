using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Bench.Simulated;

/// <summary>A private PostgreSQL and several coordinators over it, each started again when it ends; no agent.</summary>
internal sealed class ClusterPool : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly PoolFolder _folder;
    private readonly Action<string> _say;
    private readonly List<ChildProcess> _started = [];
    private readonly List<int> _silos = [];
    private readonly List<ApiClient> _clients = [];
    private PostgresCluster _postgres = null!;

    private ClusterPool(PoolFolder folder, Action<string> say) => (_folder, _say) = (folder, say);

    /// <summary>Clients of the coordinators, as the admin.</summary>
    public IReadOnlyList<ApiClient> Clients => _clients;

    public IReadOnlyList<ChildProcess> Coordinators => _started[1..];

    public static async Task<ClusterPool> StartAsync(int coordinators, Action<string> say, CancellationToken stop)
    {
        var pool = new ClusterPool(new PoolFolder(Directory.CreateTempSubdirectory("hearth-bench-").FullName, 1), say);
        try
        {
            var place = PostgresPlace.Of(pool._folder.PostgresPath, Environment.UserName == "root", folder => File.GetUnixFileMode(folder).HasFlag(UnixFileMode.OtherExecute));
            pool._postgres = new PostgresCluster(place);
            pool._started.Add(await pool._postgres.StartAsync(pool._folder, say, stop));
            for (int i = 1; i <= coordinators; i++)
            {
                await pool.StartCoordinatorAsync(i, stop);
            }

            await pool.WholeAsync(stop);
            return pool;
        }
        catch
        {
            await pool.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where its PostgreSQL listens: the folder of its socket.</summary>
    public string SocketFolder => _postgres.SocketFolder;

    /// <summary>One value of the database, as text.</summary>
    public Task<string> QueryAsync(string sql, CancellationToken stop) => _postgres.QueryAsync(sql, stop);

    /// <summary>One whole number of the database.</summary>
    public async Task<long> CountAsync(string sql, CancellationToken stop) => long.Parse(await QueryAsync(sql, stop), CultureInfo.InvariantCulture);

    /// <summary>Which coordinator took the scheduler's present term.</summary>
    public async Task<int> SchedulerAsync(CancellationToken stop) =>
        _silos.IndexOf(int.Parse(await QueryAsync("select split_part(split_part(holder, ':', 2), '@', 1) from scheduler", stop), CultureInfo.InvariantCulture));

    /// <summary>Waits until every coordinator answers and is a member.</summary>
    public async Task WholeAsync(CancellationToken stop)
    {
        foreach (var client in _clients)
        {
            await UntilAsync($"{client.Address} answers", client.IsReadyAsync, stop);
        }

        await UntilAsync("every coordinator is a member", async token => await QueryAsync("select count(*) from orleans.orleansmembershiptable where status = 3", token) == $"{_clients.Count}", stop);
        await UntilAsync("the scheduler runs", async token => await SchedulerAsync(token) >= 0, stop);
    }

    /// <exception cref="CliException">The condition did not come about.</exception>
    public static async Task UntilAsync(string what, Func<CancellationToken, Task<bool>> condition, CancellationToken stop)
    {
        long began = Stopwatch.GetTimestamp();
        while (!await condition(stop))
        {
            if (Stopwatch.GetElapsedTime(began) > Limit)
            {
                throw new CliException($"Not within {Limit.TotalSeconds:0} s: {what}.");
            }

            await Task.Delay(250, stop);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        foreach (var child in Enumerable.Reverse(_started))
        {
            await child.DisposeAsync();
        }

        _folder.Dispose();
        Directory.Delete(_folder.Root, recursive: true);
    }

    private async Task StartCoordinatorAsync(int number, CancellationToken stop)
    {
        int silo = FreePort();
        var address = new Uri($"http://localhost:{FreePort()}/");
        var plan = new ChildPlan(
            $"coordinator-{number}",
            ["dotnet", Repository.Coordinator, "--urls", $"http://127.0.0.1:{address.Port}", "--contentRoot", Repository.CoordinatorContent, "--Logging:LogLevel:Microsoft.AspNetCore=Warning"],
            new Dictionary<string, string>
            {
                // Three of the usual pools would be more than the server's hundred connections.
                ["HEARTH_DATABASE"] = _postgres.Connection.Replace("Size=50", "Size=28", StringComparison.Ordinal),
                ["HEARTH_DATA"] = _folder.StorePath,
                ["HEARTH_ADMIN_TOKEN_FILE"] = _folder.TokenPath,
                ["HEARTH_CLUSTER"] = "bench",
                ["HEARTH_CLUSTER_ADDRESS"] = $"127.0.0.1:{silo}",
            },
            Signals.Terminate,
            TimeSpan.FromSeconds(10));
        _started.Add(ChildProcess.Start(plan, _folder, _say));
        using (var probe = new ApiClient(address, token: null))
        {
            await UntilAsync($"coordinator {number} is ready", probe.IsReadyAsync, stop);
        }

        _silos.Add(silo);
        _clients.Add(new ApiClient(address, (await File.ReadAllTextAsync(_folder.TokenPath, stop)).Trim()));
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
