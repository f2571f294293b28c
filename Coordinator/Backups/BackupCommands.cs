using Hearth.Coordinator.Access;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Backups;

/// <summary><c>backup FILE [--no-blobs]</c> and <c>restore FILE</c>, with the settings of a coordinator. Serves nothing.</summary>
internal static class BackupCommands
{
    private const string Usage = "Usage: backup FILE [--no-blobs], or restore FILE.";

    /// <returns>0 = done, 1 = not done, 2 = the arguments are wrong; the reason is on standard error.</returns>
    internal static async Task<int> RunAsync(string[] arguments)
    {
        DapperTypes.Register();
        var settings = new ConfigurationBuilder().AddEnvironmentVariables().Build();
        using var stopping = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) =>
        {
            pressed.Cancel = true;
            stopping.Cancel();
        };
        try
        {
            switch (arguments)
            {
                case ["backup", var file]:
                    await BackUpAsync(settings, file, blobs: true, stopping.Token);
                    return 0;
                case ["backup", var file, "--no-blobs"]:
                    await BackUpAsync(settings, file, blobs: false, stopping.Token);
                    return 0;
                case ["restore", var file]:
                    await RestoreAsync(settings, file, stopping.Token);
                    return 0;
                default:
                    await Console.Error.WriteLineAsync(Usage);
                    return 2;
            }
        }
        catch (Exception e) when (e is BackupRefusedException or InvalidOperationException or NpgsqlException or OperationCanceledException)
        {
            await Console.Error.WriteLineAsync(e is OperationCanceledException ? "Stopped." : e.Message);
            return 1;
        }
    }

    private static async Task BackUpAsync(IConfiguration settings, string file, bool blobs, CancellationToken stop)
    {
        var options = CoordinatorOptions.Read(settings);
        string? store = BlobsApi.FolderOf(settings, options);
        var contents = await PoolBackup.TakeAsync(options, file, blobs ? store : null, stop);
        var (included, left) = (contents.Blobs.Where(b => b.Included).ToList(), contents.Blobs.Where(b => !b.Included).ToList());
        Console.WriteLine($"Wrote {Path.GetFullPath(file)}: the database and {Words.Number(included.Count)} blobs of {Words.Number(included.Sum(b => b.Bytes))} bytes.");
        if (left.Count > 0)
        {
            string why = !blobs || store is null ? "are listed and stay in the store, which needs a backup of its own" : "are missing from the store or damaged there, and were left out";
            Console.WriteLine($"{Words.Number(left.Count)} blobs of {Words.Number(left.Sum(b => b.Bytes))} bytes {why}.");
        }
    }

    private static async Task RestoreAsync(IConfiguration settings, string file, CancellationToken stop)
    {
        var options = CoordinatorOptions.Read(settings);
        string? store = BlobsApi.FolderOf(settings, options);
        var (head, contents) = await PoolBackup.RestoreAsync(options, file, store, stop);
        int included = contents.Blobs.Count(b => b.Included);
        Console.WriteLine($"Restored the pool {head.Pool} as it was at {head.CreatedAt:yyyy-MM-dd HH:mm:ss} UTC, with {Words.Number(included)} of {Words.Number(contents.Blobs.Count)} blobs.");
        if (store is not null && included == 0)
        {
            Console.WriteLine($"The archive has no blobs. Put the pool's store to {store}; until then it is away, and runs wait.");
        }

        // The archive holds hashes alone, so nobody could sign in from here.
        await using var database = NpgsqlDataSource.Create(DatabaseExtensions.Settings(options.Database));
        string secret = (await new TokenStore(database).CreateAsync("restored", Roles.Admin, null, stop)).Secret!;
        if (options.AdminTokenFile is { } path)
        {
            SecurityExtensions.WriteToken(path, secret);
        }
        else
        {
            Console.WriteLine($"Admin token (shown once): {secret}");
        }
    }
}
