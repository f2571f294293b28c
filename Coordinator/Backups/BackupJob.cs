using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Hearth.Runs;

namespace Hearth.Coordinator.Backups;

/// <summary>The database, each night, into a folder. Blobs are listed and not copied: they are large, and the store has its own ways.</summary>
internal sealed class BackupJob(BackupSettings settings, CoordinatorOptions options, DatabaseClock clock) : IRecurringJob
{
    public string Name => "database-backup";

    public string Does => $"Writes the database and the list of its blobs into {settings.Folder}, and keeps the newest {Words.Number(settings.Keep)}.";

    public string Cron => "30 2 * * *";

    public async Task<string> RunAsync(CancellationToken stop)
    {
        Directory.CreateDirectory(settings.Folder);
        string path = Path.Combine(settings.Folder, BackupSettings.NameAt(clock.GetUtcNow()));
        await PoolBackup.TakeAsync(options, path, storePath: null, stop);
        var surplus = settings.Surplus(Directory.EnumerateFiles(settings.Folder).Select(f => Path.GetFileName(f)));
        foreach (string name in surplus)
        {
            File.Delete(Path.Combine(settings.Folder, name));
        }

        return $"Wrote {path} of {Words.Number(new FileInfo(path).Length)} bytes, and removed {Words.Number(surplus.Count)} old backups.";
    }
}

/// <summary>Registers the nightly backup where a folder is set.</summary>
public static class BackupExtensions
{
    public static void AddBackups(this WebApplicationBuilder builder)
    {
        if (BackupSettings.Read(builder.Configuration) is { } settings)
        {
            builder.Services.AddSingleton(settings);
            builder.Services.AddSingleton<IRecurringJob, BackupJob>();
        }
    }
}
