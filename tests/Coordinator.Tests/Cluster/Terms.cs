using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Tests.Support;
using Microsoft.Extensions.Configuration;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Cluster;

[Collection(SharedPostgres.Name)]
public sealed class Terms(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly SiloPlace Silo = new("127.0.0.1", 7771, 1);
    private NpgsqlDataSource _database = null!;

    public async Task InitializeAsync()
    {
        DapperTypes.Register();
        _database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await Migrator.RunAsync(_database);
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task What_is_decided_in_a_term_that_is_over_is_not_applied()
    {
        var terms = Of(cluster: null);
        var first = (await terms.TakeAsync(Silo, default))!;
        var second = (await terms.TakeAsync(Silo, default))!;
        await using var session = await DbSession.BeginAsync(_database, default);

        await second.HoldAsync(session);
        var over = await Assert.ThrowsAsync<TermOverException>(() => first.HoldAsync(session));

        Assert.Equal((1, 2), (first.Number, second.Number));
        Assert.Equal("term 1 is over, another one has begun. Another coordinator works on this database: those that share one need HEARTH_CLUSTER.", over.Message);
    }

    [Fact]
    public async Task A_new_term_waits_for_what_is_being_applied_in_the_one_before()
    {
        var terms = Of(cluster: null);
        var first = (await terms.TakeAsync(Silo, default))!;
        await using var session = await DbSession.BeginAsync(_database, default);
        await first.HoldAsync(session);

        var second = terms.TakeAsync(Silo, default);
        await using var waiting = _database.CreateCommand("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')");
        await Eventually.TrueAsync(async () => (bool)(await waiting.ExecuteScalarAsync())!, "the new term waits for the row");
        Assert.False(second.IsCompleted);
        await session.CommitAsync();

        Assert.Equal(2, (await second)!.Number);
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(4, false)]
    [InlineData(6, false)]
    public async Task Only_a_silo_that_the_cluster_holds_for_active_takes_a_term(int status, bool takes)
    {
        await using var member = _database.CreateCommand(
            $"""
            insert into orleans.orleansmembershipversiontable values ('home');
            insert into orleans.orleansmembershiptable values ('home', '127.0.0.1', 7771, 1, 'a', 'a', {status}, 0, null, now(), now())
            """);
        await member.ExecuteNonQueryAsync();
        var terms = Of("home");

        Assert.Equal(takes, await terms.TakeAsync(Silo, default) is not null);
        Assert.Null(await terms.TakeAsync(Silo with { Generation = 2 }, default));
        Assert.Null(await Of("another").TakeAsync(Silo, default));
    }

    private SchedulerTerms Of(string? cluster) => new(_database, ClusterSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(
        new Dictionary<string, string?> { ["HEARTH_CLUSTER"] = cluster, ["HEARTH_CLUSTER_ADDRESS"] = Silo.Address + ":" + Silo.Port.ToString(System.Globalization.CultureInfo.InvariantCulture) }).Build()));
}
