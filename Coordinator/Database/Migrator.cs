using System.Reflection;
using Dapper;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>Brings a database to the version this program was built with; safe for any number of coordinators at once.</summary>
public static class Migrator
{
    // Any constant will do, as long as all coordinators take the same lock.
    private const long Lock = 0x4865617274684D;

    /// <summary>Every step that this program knows, in their order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Scripts().Select(s => s.Name)];

    /// <returns>Names of the migrations applied now.</returns>
    public static async Task<IReadOnlyList<string>> RunAsync(NpgsqlDataSource database, CancellationToken stop = default)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        await connection.ExecuteAsync(new CommandDefinition("select pg_advisory_xact_lock(@Lock)", new { Lock }, transaction, cancellationToken: stop));
        await connection.ExecuteAsync(new CommandDefinition(
            "create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())", transaction: transaction, cancellationToken: stop));
        var done = (await connection.QueryAsync<string>(new CommandDefinition("select name from migrations", transaction: transaction, cancellationToken: stop))).ToHashSet(StringComparer.Ordinal);
        var applied = new List<string>();
        foreach (var (name, sql) in Scripts().Where(s => !done.Contains(s.Name)))
        {
            await connection.ExecuteAsync(new CommandDefinition(sql, transaction: transaction, cancellationToken: stop));
            await connection.ExecuteAsync(new CommandDefinition("insert into migrations (name) values (@name)", new { name }, transaction, cancellationToken: stop));
            applied.Add(name);
        }

        await transaction.CommitAsync(stop);
        return applied;
    }

    private static IEnumerable<(string Name, string Sql)> Scripts()
    {
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string resource in assembly.GetManifestResourceNames().Where(n => n.EndsWith(".sql", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            yield return (resource.Split('.')[^2], reader.ReadToEnd());
        }
    }
}
