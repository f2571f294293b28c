using System.CommandLine;

namespace Hearth.Cli.Pool;

/// <summary><c>backup</c> and <c>restore</c>: a pool as one file. The coordinator's program does the work; here its database is found or started.</summary>
internal static class BackupCommands
{
    public static Command Backup()
    {
        var (file, data) = (new Argument<string>("file") { Description = "The archive to write." }.NotEmpty("the path of a file"), DataOption("Folder of the pool, running or not."));
        var bare = new Option<bool>("--no-blobs") { Description = "List the blobs of the store without copying them." };
        var command = new Command("backup", "Write a pool into one file: its database at one moment, and the blobs it refers to.") { file, bare, data };
        command.SetAction((parsed, stop) => Guard.RunAsync(() =>
        {
            string[] options = parsed.GetValue(bare) ? ["--no-blobs"] : [];
            return BackUpAsync(Path.GetFullPath(parsed.GetValue(data)!), ["backup", Path.GetFullPath(parsed.GetRequiredValue(file)), .. options], stop);
        }));
        return command;
    }

    public static Command Restore()
    {
        var (file, data) = (new Argument<string>("file") { Description = "An archive of backup." }.NotEmpty("the path of a file"), DataOption("Folder of the new pool; it must be empty, or not there."));
        var command = new Command("restore", "Make a pool of such a file, in an empty folder.") { file, data };
        command.SetAction((parsed, stop) => Guard.RunAsync(() =>
            RestoreAsync(Path.GetFullPath(parsed.GetValue(data)!), Path.GetFullPath(parsed.GetRequiredValue(file)), stop)));
        return command;
    }

    private static Option<string> DataOption(string description) =>
        new Option<string>("--data") { Description = description, DefaultValueFactory = _ => PoolFolder.DefaultPath }.NotEmpty("the path of a folder");

    private static async Task<int> BackUpAsync(string root, string[] arguments, CancellationToken stop)
    {
        if (Given("HEARTH_DATABASE") is { } database)
        {
            return await RunAsync(arguments, root, database);
        }

        if (!Directory.Exists(root) || !PostgresCluster.In(root).Exists)
        {
            throw new CliException($"There is no pool in {root}. Give its folder with --data, or its database in HEARTH_DATABASE.", ExitCodes.BadInput);
        }

        // While an up holds the folder, its database runs.
        return PoolFolder.IsHeld(root)
            ? await RunAsync(arguments, root, PostgresCluster.In(root).Connection)
            : await WithPostgresAsync(root, connection => RunAsync(arguments, root, connection), stop);
    }

    private static async Task<int> RestoreAsync(string root, string file, CancellationToken stop)
    {
        if (File.Exists(root) || (Directory.Exists(root) && Directory.EnumerateFileSystemEntries(root).Any()))
        {
            throw new CliException($"{root} is not empty. A backup is restored into an empty folder; give one with --data.", ExitCodes.BadInput);
        }

        string[] arguments = ["restore", file];
        int code = ExitCodes.Failed;
        try
        {
            Directory.CreateDirectory(root);
            code = Given("HEARTH_DATABASE") is { } database
                ? await RunAsync(arguments, root, database)
                : await WithPostgresAsync(root, connection => RunAsync(arguments, root, connection), stop);
        }
        finally
        {
            if (code != ExitCodes.Done)
            {
                // It was empty, and is again.
                Directory.Delete(root, recursive: true);
            }
        }

        return code;
    }

    private static async Task<int> WithPostgresAsync(string root, Func<string, Task<int>> use, CancellationToken stop)
    {
        using var folder = new PoolFolder(root, PoolOptions.DefaultPort);
        await Leftovers.StopAsync(folder, Console.WriteLine);
        var cluster = PostgresCluster.In(root);
        bool fresh = !cluster.Exists;
        int code = ExitCodes.Failed;
        try
        {
            await using var server = await cluster.StartAsync(folder, Console.WriteLine, stop);
            return code = await use(cluster.Connection);
        }
        finally
        {
            if (fresh && code != ExitCodes.Done && Directory.Exists(cluster.Home))
            {
                Directory.Delete(cluster.Home, recursive: true);
            }
        }
    }

    private static Task<int> RunAsync(string[] arguments, string root, string database) => CoordinatorProgram.RunAsync(
        arguments,
        new Dictionary<string, string>
        {
            ["HEARTH_DATABASE"] = database,
            // A coordinator of one's own has both settings; that of an up keeps its store in the folder.
            ["HEARTH_DATA"] = (Given("HEARTH_DATABASE") is null ? null : Given("HEARTH_DATA")) ?? PoolFolder.StorePathOf(root),
            ["HEARTH_ADMIN_TOKEN_FILE"] = PoolFolder.TokenPathOf(root),
        });

    private static string? Given(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
