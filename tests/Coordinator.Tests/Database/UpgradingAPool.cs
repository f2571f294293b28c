using System.Reflection;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Runs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Database;

/// <summary>A pool that an earlier version trained a run in, its kill and resume among it, is served by this one with everything in it.</summary>
[Collection(SharedPostgres.Name)]
public sealed class UpgradingAPool(PostgresServer postgres)
{
    private const string Token = "hth_of_the_upgraded_pool";

    [Fact]
    public async Task Rows_of_an_older_version_are_kept_and_served()
    {
        string connection = await postgres.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(connection);
        string[] before = await OlderAsync(database);

        Assert.Equal(Migrator.Names.Except(before), await Migrator.RunAsync(database));
        Assert.Empty(await Migrator.RunAsync(database));
        await ExecuteAsync(database, $"update tokens set sha256 = sha256(convert_to('{Token}', 'UTF8'))");
        await using var service = await CoordinatorProcess.StartAsync(connection, Token);
        var run = await GetAsync<RunDetail>(service, "");

        Assert.Equal((RunState.Succeeded, 60, "50315013764ebc4b"), (run.Summary.State, run.Summary.Step, run.Trace));
        Assert.Equal(2, run.Attempts.Count);
        Assert.Equal(60, (await GetAsync<MetricsResponse>(service, "/metrics?points=10000")).Series.Single(s => s.Key == "loss").Steps[^1]);
        Assert.NotEmpty((await GetAsync<List<SampleView>>(service, "/samples"))[0].Text);
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_left_as_it_is()
    {
        await using var database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await OlderAsync(database);
        await ExecuteAsync(database, "insert into migrations (name) values ('999_later')");

        var old = await Assert.ThrowsAsync<SchemaRefusedException>(() => Migrator.RunAsync(database));
        await ExecuteAsync(database, "delete from migrations where name = '999_later'");
        await Migrator.RunAsync(database);
        await ExecuteAsync(database, "insert into changelog (type, version, description, name, checksum, installed_by, success) values (0, '999', 'later', 'V999_later.sql', '', '', true)");
        var present = await Assert.ThrowsAsync<SchemaRefusedException>(() => Migrator.RunAsync(database));

        Assert.Equal($"The database belongs to a newer version of Hearth: it has had 999_later, this version knows steps up to {Migrator.Names[^1]}. Start the newer version, or restore a backup of this one's.", present.Message);
        Assert.Equal(present.Message, old.Message);
    }

    [Fact]
    public async Task A_step_that_is_not_the_one_that_was_done_is_refused_by_name()
    {
        await using var database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await Migrator.RunAsync(database);
        await ExecuteAsync(database, "update changelog set checksum = md5('another') where name = 'V003_data.sql'");

        var refused = await Assert.ThrowsAsync<SchemaRefusedException>(() => Migrator.RunAsync(database));

        Assert.Contains("V003_data.sql", refused.Message, StringComparison.Ordinal);
    }

    // As the version before checksums left it: its scripts, one after the other, and its list of them.
    private static async Task<string[]> OlderAsync(NpgsqlDataSource database)
    {
        string[] done = [.. Migrator.Names.Where(n => string.CompareOrdinal(n, "022") < 0)];
        await ExecuteAsync(database, "create table migrations (name text primary key, applied_at timestamptz not null default now())");
        foreach (string name in done)
        {
            await ExecuteAsync(database, Read(typeof(Migrator).Assembly, $"Migrations.V{name}.sql"));
        }

        // What the scripts put in themselves is in the rows too.
        await ExecuteAsync(database, "truncate pool, scheduler cascade");
        await ExecuteAsync(database, Read(typeof(UpgradingAPool).Assembly, "pool-021.sql"));
        return done;
    }

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"no resource {name}"));
        return reader.ReadToEnd();
    }

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<T> GetAsync<T>(CoordinatorProcess service, string path) =>
        (await System.Net.Http.Json.HttpClientJsonExtensions.GetFromJsonAsync<T>(service.Http, $"/api/v1/runs/01a22b8c-fa87-798c-a1c3-56e9db721a67{path}", Json.Wire))!;
}
