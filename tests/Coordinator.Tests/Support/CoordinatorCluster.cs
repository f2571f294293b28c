using System.Globalization;
using Npgsql;

namespace Hearth.Tests.Support;

/// <summary>Several real coordinators of one database, each a process with a silo on loopback.</summary>
public sealed class CoordinatorCluster : IAsyncDisposable
{
    private readonly List<CoordinatorProcess> _members = [];
    private readonly Dictionary<int, CoordinatorProcess> _bySilo = [];
    private readonly string _connection;
    private readonly (string Name, string Value)[] _settings;
    private volatile IReadOnlyList<CoordinatorProcess> _live = [];

    private CoordinatorCluster(string connection, (string Name, string Value)[] settings) =>
        (_connection, _settings, Database) = (connection, settings, NpgsqlDataSource.Create(connection));

    /// <summary>All that were ever started, in that order.</summary>
    public IReadOnlyList<CoordinatorProcess> Members => _members;

    /// <summary>Those that were not seen to have ended.</summary>
    public IReadOnlyList<CoordinatorProcess> Live => _live;

    public NpgsqlDataSource Database { get; }

    /// <param name="database">Connection string.</param>
    /// <param name="count">How many coordinators.</param>
    /// <param name="settings">Environment of each.</param>
    public static async Task<CoordinatorCluster> StartAsync(string database, int count, params (string Name, string Value)[] settings)
    {
        var cluster = new CoordinatorCluster(database, settings);
        try
        {
            for (int i = 0; i < count; i++)
            {
                await cluster.AddAsync();
            }

            await Eventually.TrueAsync(
                async () => await cluster.ScalarAsync<long>("select count(*) from orleans.orleansmembershiptable where status = 3") == count, "all coordinators are members", seconds: 60);
            await Eventually.TrueAsync(async () => await cluster.TermAsync() > 0, "one of them runs the scheduler", seconds: 60);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Term of the scheduler; 0 before the first.</summary>
    public Task<long> TermAsync() => ScalarAsync<long>("select term from scheduler");

    /// <summary>The coordinator that took the present term.</summary>
    public async Task<CoordinatorProcess> SchedulerAsync()
    {
        string holder = await ScalarAsync<string>("select holder from scheduler");
        return _bySilo[int.Parse(holder.Split(':', '@')[1], CultureInfo.InvariantCulture)];
    }

    /// <summary>Waits for a later term at another coordinator than this one.</summary>
    public async Task<CoordinatorProcess> TakenOverAsync(CoordinatorProcess from)
    {
        await Eventually.TrueAsync(async () => await SchedulerAsync() != from, "another coordinator runs the scheduler", seconds: 120);
        return await SchedulerAsync();
    }

    public int SiloPortOf(CoordinatorProcess member) => _bySilo.Single(m => m.Value == member).Key;

    public CoordinatorProcess Other(CoordinatorProcess than) => _members.First(m => m != than && !m.HasExited);

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members)
        {
            await member.DisposeAsync();
        }

        await Database.DisposeAsync();
    }

    /// <summary>One more.</summary>
    public async Task AddAsync()
    {
        int silo = CoordinatorProcess.FreePort();
        string? token = _members.Count == 0 ? null : _members[0].AdminToken;
        var member = await CoordinatorProcess.StartAsync(
            _connection, token, [("HEARTH_CLUSTER", "test"), ("HEARTH_CLUSTER_ADDRESS", $"127.0.0.1:{silo}"), .. _settings]);
        _members.Add(member);
        _bySilo.Add(silo, member);
        _live = [.. _members.Where(m => !m.HasExited)];
    }

    /// <summary>Starts new ones for those that have ended, by a signal or because the others had declared them dead.</summary>
    public async Task RefillAsync(int count)
    {
        for (_live = [.. _members.Where(m => !m.HasExited)]; _live.Count < count;)
        {
            await AddAsync();
        }
    }
}
