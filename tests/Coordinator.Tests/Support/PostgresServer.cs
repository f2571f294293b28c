using System.Diagnostics;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Support;

/// <summary>A real PostgreSQL of its own in a temporary folder, on a Unix socket only; gone when the tests end.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly string Binaries = Directory.EnumerateDirectories("/usr/lib/postgresql").OrderBy(d => int.Parse(Path.GetFileName(d), System.Globalization.CultureInfo.InvariantCulture)).Last() + "/bin";
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-pg-").FullName;
    private int _databases;

    public async Task InitializeAsync()
    {
        // initdb refuses root, so as root everything belongs to and runs as the account that the package made.
        if (Environment.UserName == "root")
        {
            await RunAsync("chown", "postgres", _folder);
        }

        await RunAsPostgresAsync($"{Binaries}/initdb", "-D", $"{_folder}/data", "-U", "hearth", "--auth=trust", "-E", "UTF8", "--no-sync");
        await RunAsPostgresAsync($"{Binaries}/pg_ctl", "-D", $"{_folder}/data", "-w", "-l", $"{_folder}/log", "-o", $"-k {_folder} -c listen_addresses='' -c fsync=off", "start");
    }

    public async Task DisposeAsync()
    {
        await RunAsPostgresAsync($"{Binaries}/pg_ctl", "-D", $"{_folder}/data", "-m", "immediate", "-w", "stop");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Ends the server at once, as a crash would, and starts it again; every connection is lost.</summary>
    public Task CutOffAsync() =>
        RunAsPostgresAsync($"{Binaries}/pg_ctl", "-D", $"{_folder}/data", "-m", "immediate", "-w", "-t", "120", "-l", $"{_folder}/log", "-o", $"-k {_folder} -c listen_addresses='' -c fsync=off", "restart");

    /// <summary>A new, empty database; the connection string.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        string name = $"test{Interlocked.Increment(ref _databases)}";
        await using var admin = NpgsqlDataSource.Create(Connection("postgres"));
        await using var command = admin.CreateCommand($"create database {name}");
        await command.ExecuteNonQueryAsync();
        return Connection(name);
    }

    private string Connection(string database) => $"Host={_folder};Username=hearth;Database={database}";

    private static Task RunAsPostgresAsync(params string[] command) =>
        Environment.UserName == "root" ? RunAsync("runuser", ["-u", "postgres", "--", .. command]) : RunAsync(command[0], command[1..]);

    // Output goes nowhere: the server inherits these streams, and a pipe would keep us waiting for its end.
    private static async Task RunAsync(string program, params string[] arguments)
    {
        string line = string.Join(' ', [program, .. arguments.Select(a => $"'{a.Replace("'", "'\\''", StringComparison.Ordinal)}'")]);
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", $"cd /; exec {line} >/dev/null 2>&1"]))!;
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} gave {process.ExitCode}");
    }
}
