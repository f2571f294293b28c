using System.Data;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Backups;

/// <summary>A pool as one file: its database at one moment, the list of blobs that it refers to, and their bytes where the store is a folder.</summary>
internal static class PoolBackup
{
    // What a restored database would miss.
    private const string Referred =
        """
        select sha256, max(bytes) as bytes from (
            select sha256, bytes from checkpoint_files union all select sha256, bytes from prepared_files union all select sha256, bytes from datasets) b
        group by sha256 order by sha256
        """;

    /// <summary>Writes a backup; the pool may run meanwhile. Blobs stay at least a day after the last row that named them, so those of the snapshot are there.</summary>
    /// <param name="options">Of the coordinator whose pool it is.</param>
    /// <param name="path">Of the archive; nothing may be there.</param>
    /// <param name="storePath">Folder of the store, when its blobs go along.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="BackupRefusedException">The database cannot be dumped, or the file is there.</exception>
    internal static async Task<BackupContents> TakeAsync(CoordinatorOptions options, string path, string? storePath, CancellationToken stop)
    {
        path = Path.GetFullPath(path);
        if (Path.Exists(path))
        {
            throw new BackupRefusedException($"{path} exists. Give a name that is free.");
        }

        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new BackupRefusedException($"There is no folder {Path.GetDirectoryName(path)}.");
        }

        DirectoryInfo? temporary = null;
        try
        {
            temporary = Directory.CreateTempSubdirectory("hearth-backup-");
            await using var database = NpgsqlDataSource.Create(DatabaseExtensions.Settings(options.Database));
            await using var session = await DbSession.BeginAsync(database, stop, IsolationLevel.RepeatableRead);

            // Held open while another program reads the same snapshot.
            await session.ExecuteAsync("set local idle_in_transaction_session_timeout = 0");
            var (pool, now) = await session.SingleAsync<(Guid, DateTime)>("select id, now() from pool");
            var head = new BackupHead(BackupHead.CurrentFormat, pool, new DateTimeOffset(now, TimeSpan.Zero), await Migrator.AppliedAsync(session));
            var blobs = await session.QueryAsync<FileRefBytes>(Referred);
            string dump = Path.Combine(temporary.FullName, BackupEntries.Dump);
            await PostgresTools.DumpAsync(options.Database, await session.SingleAsync<string>("select pg_export_snapshot()"), dump, stop);
            return await BackupWriter.WriteAsync(path, head, dump, blobs, storePath is null ? null : sha256 => Path.Combine(storePath, BlobNames.Of(sha256)), stop);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NpgsqlException)
        {
            throw new BackupRefusedException($"The backup was not written: {e.Message}", e);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    /// <summary>Brings a backup into an empty database and, when its blobs are along, an empty folder. The pool keeps its identity, so its store takes it.</summary>
    /// <param name="options">Of the coordinator that will serve it.</param>
    /// <param name="path">Of the archive.</param>
    /// <param name="storePath">Folder that becomes the store; null where the store is elsewhere.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="BackupRefusedException">The archive is damaged or newer, or its place is not empty.</exception>
    internal static async Task<(BackupHead Head, BackupContents Contents)> RestoreAsync(CoordinatorOptions options, string path, string? storePath, CancellationToken stop)
    {
        await using var database = NpgsqlDataSource.Create(DatabaseExtensions.Settings(options.Database));
        var (head, contents) = await BackupReader.CheckAsync(Path.GetFullPath(path), Migrator.Names, stop);
        await RequireEmptyAsync(database, storePath, stop);
        string staged = storePath is null ? Directory.CreateTempSubdirectory("hearth-restore-").FullName : storePath + ".restoring";
        try
        {
            string dump = Path.Combine(staged, BackupEntries.Dump);
            await BackupReader.ExtractAsync(path, dump, staged, contents, stop);
            await PostgresTools.RestoreAsync(options.Database, dump, stop);
            File.Delete(dump);
            if (storePath is not null && contents.Blobs.Any(b => b.Included))
            {
                await File.WriteAllBytesAsync(Path.Combine(staged, StoreIdentity.FileName), new StoreIdentity(head.Pool, head.CreatedAt).ToBytes(), stop);
                Directory.Move(staged, storePath);
            }

            await Migrator.RunAsync(database, stop);
            return (head, contents);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NpgsqlException)
        {
            throw new BackupRefusedException($"The backup was not restored: {e.Message}", e);
        }
        finally
        {
            if (Directory.Exists(staged))
            {
                Directory.Delete(staged, recursive: true);
            }
        }
    }

    private static async Task RequireEmptyAsync(NpgsqlDataSource database, string? storePath, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        long tables = await session.SingleAsync<long>("select count(*) from pg_stat_user_tables");
        if (tables > 0)
        {
            throw new BackupRefusedException($"The database holds {tables} tables already. A backup is restored into an empty database.");
        }

        if (storePath is not null && Directory.Exists(storePath) && Directory.EnumerateFileSystemEntries(storePath).Any())
        {
            throw new BackupRefusedException($"The folder {storePath} is not empty. A backup is restored into an empty one.");
        }

        if (storePath is not null && Directory.Exists(storePath))
        {
            Directory.Delete(storePath);
        }
    }
}
