using System.Reflection;
using EvolveDb;
using EvolveDb.Configuration;
using Npgsql;

namespace Hearth.Coordinator.Database;

/// <summary>
/// Brings a database to the version this program was built with, by Evolve, which keeps the checksum of each step; safe for any number of
/// coordinators at once. All pending steps are one transaction.
/// </summary>
public static class Migrator
{
    // Any constant will do, as long as all coordinators take the same lock.
    private const long Lock = 0x4865617274684D;
    private const string Journal = "changelog", Prefix = "V", Suffix = ".sql", Folder = "Migrations.";

    /// <summary>Every step that this program knows, in their order, as <c>001_init</c>.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(r => r.StartsWith(Folder, StringComparison.Ordinal))
            .Select(r => NameOf(r[Folder.Length..]))
            .Order(StringComparer.Ordinal),
    ];

    /// <returns>Names of the migrations applied now.</returns>
    /// <exception cref="SchemaRefusedException">The database belongs to a newer version, or its steps are not this program's.</exception>
    public static async Task<IReadOnlyList<string>> RunAsync(NpgsqlDataSource database, CancellationToken stop = default)
    {
        // The lock is a session's, on a connection of its own: Evolve commits on the other.
        await using var gate = await DbSession.OpenAsync(database, stop);
        while (!await gate.SingleAsync<bool>("select pg_try_advisory_lock(@Lock)", new { Lock }))
        {
            // A statement that waits would give up before a long migration of another coordinator is done.
            await Task.Delay(TimeSpan.FromMilliseconds(100), stop);
        }

        try
        {
            await using var session = await DbSession.OpenAsync(database, stop);
            var before = await AppliedAsync(session);
            RefuseNewer(before);
            await using var connection = await database.OpenConnectionAsync(stop);
            if (await IsOfOldJournalAsync(session))
            {
                Migrate(connection, upTo: before[^1]);
                await session.ExecuteAsync("drop table migrations");
            }

            Migrate(connection, upTo: null);
            return [.. (await AppliedAsync(session)).Except(before)];
        }
        finally
        {
            await gate.ExecuteAsync("select pg_advisory_unlock(@Lock)", new { Lock });
        }
    }

    /// <summary>The steps that a database has had, in their order.</summary>
    internal static async Task<IReadOnlyList<string>> AppliedAsync(DbSession session)
    {
        if (await IsOfOldJournalAsync(session))
        {
            return await session.QueryAsync<string>("select name from migrations order by name");
        }

        // Type 0 are steps; the others are Evolve's own marks.
        return await ExistsAsync(session, Journal)
            ? [.. (await session.QueryAsync<string>($"select name from {Journal} where type = 0 and success order by name")).Select(NameOf)]
            : [];
    }

    /// <summary>Refuses to work on what this program does not know. Pure.</summary>
    internal static void RefuseNewer(IReadOnlyList<string> applied)
    {
        if (applied.Except(Names).ToArray() is { Length: > 0 } unknown)
        {
            throw new SchemaRefusedException(
                $"The database belongs to a newer version of Hearth: it has had {string.Join(", ", unknown)}, this version knows steps up to {Names[^1]}. Start the newer version, or restore a backup of this one's.");
        }
    }

    /// <param name="connection">Open.</param>
    /// <param name="upTo">Marks the steps up to this as done, without doing them; null does all that is pending.</param>
    private static void Migrate(NpgsqlConnection connection, string? upTo)
    {
        var evolve = new Evolve(connection)
        {
            EmbeddedResourceAssemblies = [Assembly.GetExecutingAssembly()],
            EmbeddedResourceFilters = [Folder],
            SqlMigrationPrefix = Prefix,
            SqlMigrationSeparator = "_",
            MetadataTableName = Journal,
            TransactionMode = TransactionKind.CommitAll,
            EnableClusterMode = false,
            IsEraseDisabled = true,
            CommandTimeout = (int)TimeSpan.FromHours(1).TotalSeconds,
        };
        if (upTo is not null)
        {
            evolve.SkipNextMigrations = true;
            evolve.TargetVersion = new EvolveDb.Migration.MigrationVersion(upTo[..upTo.IndexOf('_', StringComparison.Ordinal)]);
        }

        try
        {
            evolve.Migrate();
        }
        catch (EvolveException e)
        {
            throw new SchemaRefusedException($"The database was not brought to this version's schema: {e.GetBaseException().Message}", e);
        }
    }

    private static Task<bool> IsOfOldJournalAsync(DbSession session) => ExistsAsync(session, "migrations");

    private static Task<bool> ExistsAsync(DbSession session, string table) => session.SingleAsync<bool>("select to_regclass(@table) is not null", new { table });

    private static string NameOf(string script) => script[Prefix.Length..^Suffix.Length];
}

/// <summary>The schema of a database is not one that this program may work on.</summary>
public sealed class SchemaRefusedException(string message, Exception? inner = null) : Exception(message, inner);
