using System.Globalization;
using Npgsql;

namespace Hearth.Tests.Support;

/// <summary>Several real coordinators of one database, each a process with a silo on loopback.</summary>
public sealed class CoordinatorCluster : IAsyncDisposable
{
    private readonly List<CoordinatorProcess> _members = [];
    private readonly Dictionary<int, CoordinatorProcess> _bySilo = [];

    private CoordinatorCluster(NpgsqlDataSource database) => Database = database;

    public IReadOnlyList<CoordinatorProcess> Members => _members;

    public NpgsqlDataSource Database { get; }

    /// <param name="database">Connection string.</param>
    /// <param name="count">How many coordinators.</param>
    /// <param name="settings">Environment of each.</param>
    public static async Task<CoordinatorCluster> StartAsync(string database, int count, params (string Name, string Value)[] settings)
    {
        var cluster = new CoordinatorCluster(NpgsqlDataSource.Create(database));
        try
        {
            for (int i = 0; i < count; i++)
            {
                await cluster.AddAsync(database, settings);
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

    private async Task AddAsync(string database, (string Name, string Value)[] settings)
    {
        int silo = CoordinatorProcess.FreePort();
        string? token = _members.Count == 0 ? null : _members[0].AdminToken;
        var member = await CoordinatorProcess.StartAsync(
            database, token, [("HEARTH_CLUSTER", "test"), ("HEARTH_CLUSTER_ADDRESS", $"127.0.0.1:{silo}"), .. settings]);
        _members.Add(member);
        _bySilo.Add(silo, member);
    }
}
