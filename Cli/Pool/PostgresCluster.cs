using System.Diagnostics;
using System.Globalization;

namespace Hearth.Cli.Pool;

/// <summary>The private PostgreSQL of a pool: made once, started as a child, reached by a Unix socket alone.</summary>
internal sealed class PostgresCluster(PostgresPlace place)
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    public string Connection => place.Connection;

    public string Home => place.Home;

    /// <summary>Folder of its Unix socket.</summary>
    public string SocketFolder => place.SocketFolder;

    /// <summary>Whether it was made before.</summary>
    public bool Exists => Directory.Exists(place.Data);

    /// <summary>The cluster of a pool's folder, whether it was made or not.</summary>
    public static PostgresCluster In(string root) => new(PostgresPlace.Of(
        PoolFolder.PostgresPathOf(root), Environment.UserName == "root", folder => File.GetUnixFileMode(folder).HasFlag(UnixFileMode.OtherExecute)));

    /// <summary>Makes the cluster where there is none and starts its server.</summary>
    /// <exception cref="CliException">PostgreSQL is missing or does not start; says what to do.</exception>
    public async Task<ChildProcess> StartAsync(PoolFolder folder, Action<string> say, CancellationToken stop)
    {
        string binaries = FindBinaries();
        await MakeFolderAsync(place.Home, stop);
        await MakeFolderAsync(place.SocketFolder, stop);
        if (!Directory.Exists(place.Data))
        {
            // Made aside and then renamed, so that a start that was cut short leaves no half of a cluster.
            string fresh = place.Data + ".new";
            DeleteFolder(fresh);
            await RunAsync([.. As(place.Account), Path.Combine(binaries, "initdb"), "-D", fresh, "-U", "hearth", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"], stop);
            Directory.Move(fresh, place.Data);
        }

        string pidFile = Path.Combine(place.Data, "postmaster.pid");
        if (File.Exists(pidFile) && PostmasterFile.IsStale(await File.ReadAllTextAsync(pidFile, stop), CommandName))
        {
            File.Delete(pidFile);
        }

        var plan = new ChildPlan(
            "postgres",
            [.. As(place.Account), Path.Combine(binaries, "postgres"), "-D", place.Data, "-k", place.SocketFolder, "-c", "listen_addresses="],
            new Dictionary<string, string>(),
            Signals.Interrupt,
            TimeSpan.FromSeconds(30));
        var server = ChildProcess.Start(plan, folder, say);
        await WaitForServerAsync(server, binaries, stop);
        if (await RunAsync(Client(binaries, "psql", "-d", "postgres", "-tAc", "select 1 from pg_database where datname = 'hearth'"), stop) is not "1")
        {
            await RunAsync(Client(binaries, "createdb", "hearth"), stop);
        }

        return server;
    }

    /// <summary>One value of the pool's database, as text; empty when there is no row.</summary>
    public Task<string> QueryAsync(string sql, CancellationToken stop) => RunAsync(Client(FindBinaries(), "psql", "-d", "hearth", "-XtAqc", sql), stop);

    private static string FindBinaries()
    {
        const string debian = "/usr/lib/postgresql";
        string? newest = Directory.Exists(debian)
            ? Directory.EnumerateDirectories(debian)
                .Where(d => File.Exists(Path.Combine(d, "bin", "initdb")))
                .MaxBy(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out int version) ? version : 0)
            : null;
        string? onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').FirstOrDefault(p => File.Exists(Path.Combine(p, "initdb")));
        return newest is not null
            ? Path.Combine(newest, "bin")
            : onPath ?? throw new CliException("PostgreSQL's server programs were not found. Install the package postgresql, or name an existing server in HEARTH_DATABASE.");
    }

    private async Task WaitForServerAsync(ChildProcess server, string binaries, CancellationToken stop)
    {
        long began = Stopwatch.GetTimestamp();
        while (await CodeAsync(Client(binaries, "pg_isready", "-q"), stop) != 0)
        {
            if (server.HasExited || Stopwatch.GetElapsedTime(began) > StartLimit)
            {
                await server.StopAsync();
                throw new CliException($"PostgreSQL did not start. The end of {server.LogPath}:\n{server.LogTail()}");
            }

            await Task.Delay(50, stop);
        }
    }

    private string[] Client(string binaries, string program, params string[] arguments) =>
        [Path.Combine(binaries, program), "-h", place.SocketFolder, "-U", "hearth", .. arguments];

    // setpriv replaces itself by the server, so that the child is the server and no waiter in between.
    private static string[] As(string? account) => account is null ? [] : ["setpriv", "--reuid", account, "--regid", account, "--init-groups", "--"];

    private async Task MakeFolderAsync(string path, CancellationToken stop)
    {
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        bool made = !Directory.Exists(path);
        Directory.CreateDirectory(path);
        if (made && place.Account is { } account)
        {
            await RunAsync(["chown", $"{account}:", path], stop);
        }

        // For a folder of somebody else this fails, and a socket there is not to be trusted.
        File.SetUnixFileMode(path, owner);
    }

    private static void DeleteFolder(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    private static string? CommandName(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/comm").Trim();
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static async Task<int> CodeAsync(string[] command, CancellationToken stop)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = "/", RedirectStandardOutput = true, RedirectStandardError = true })!;
        await process.WaitForExitAsync(stop);
        return process.ExitCode;
    }

    private static Task<string> RunAsync(string[] command, CancellationToken stop) => ProgramOutput.ReadAsync(command, "/", stop);
}
