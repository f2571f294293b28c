using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Hearth.Coordinator.Backups;

/// <summary>PostgreSQL's own programs for dumps. What they connect with goes by their environment, where no list of processes shows it.</summary>
internal static class PostgresTools
{
    private const string Debian = "/usr/lib/postgresql";

    /// <summary>Writes the database as it stood at a snapshot, in PostgreSQL's custom format.</summary>
    internal static Task DumpAsync(string database, string snapshot, string file, CancellationToken stop) => RunAsync(
        database,
        "pg_dump",
        [
            "--format=custom", "--no-owner", "--no-privileges", $"--snapshot={snapshot}", $"--file={file}",
            // Hangfire makes its tables anew, and silos of the time of the backup are none of a restored pool's.
            "--exclude-schema=hangfire", "--exclude-table-data=orleans.orleansmembershiptable",
        ],
        stop);

    /// <summary>Brings a dump into an empty database: all of it, or nothing.</summary>
    internal static Task RestoreAsync(string database, string file, CancellationToken stop) => RunAsync(
        database, "pg_restore", ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", $"--dbname={new NpgsqlConnectionStringBuilder(database).Database}", file], stop);

    /// <summary>What libpq reads in place of a connection string. Pure.</summary>
    internal static IReadOnlyDictionary<string, string> Environment(string database)
    {
        var from = new NpgsqlConnectionStringBuilder(database);
        (string Name, string? Value)[] all =
        [
            ("PGHOST", from.Host), ("PGPORT", from.Port.ToString(CultureInfo.InvariantCulture)), ("PGUSER", from.Username), ("PGPASSWORD", from.Password),
            ("PGDATABASE", from.Database), ("PGPASSFILE", from.Passfile), ("PGSSLROOTCERT", from.RootCertificate), ("PGSSLMODE", SslMode(from.SslMode)),
        ];
        return all.Where(v => !string.IsNullOrEmpty(v.Value)).ToDictionary(v => v.Name, v => v.Value!, StringComparer.Ordinal);
    }

    private static string SslMode(SslMode mode) => mode switch
    {
        Npgsql.SslMode.VerifyCA => "verify-ca",
        Npgsql.SslMode.VerifyFull => "verify-full",
        _ => mode.ToString().ToLowerInvariant(),
    };

    // The newest there is: one that is older than its server refuses to dump.
    private static string Find(string program)
    {
        var folders = (Directory.Exists(Debian) ? Directory.EnumerateDirectories(Debian) : [])
            .OrderByDescending(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out int version) ? version : 0).Select(d => Path.Combine(d, "bin"))
            .Concat((System.Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator));
        return folders.Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists)
            ?? throw new BackupRefusedException($"{program} was not found. Install the package postgresql-client of the database's version.");
    }

    private static async Task RunAsync(string database, string program, string[] arguments, CancellationToken stop)
    {
        var start = new ProcessStartInfo(Find(program), arguments) { RedirectStandardError = true, WorkingDirectory = "/" };
        foreach (var (name, value) in Environment(database))
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        await using var kill = stop.Register(() => process.Kill(entireProcessTree: true));
        string errors = await process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        stop.ThrowIfCancellationRequested();
        if (process.ExitCode != 0)
        {
            throw new BackupRefusedException($"{program} ended with {process.ExitCode}: {errors.Trim()}");
        }
    }
}
