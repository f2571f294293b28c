using System.Net.Http.Json;
using Hearth.Api;
using Hearth.Coordinator.Backups;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Tests.Jobs;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Backups;

[Collection(SharedPostgres.Name)]
public sealed class BackingUpAndRestoring(PostgresServer postgres, DataService data) : IClassFixture<DataService>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-backups-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_restored_pool_has_its_runs_and_blobs_and_its_store_is_taken()
    {
        string sha = await CheckpointAsync();
        string archive = At("pool.backup");
        var taken = await PoolBackup.TakeAsync(Options, archive, Store, CancellationToken.None);
        Assert.Contains(new BackupBlob(sha, new FileInfo(data.BlobPath(sha)).Length, true), taken.Blobs);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(archive));
        Assert.Equal([archive], Directory.EnumerateFileSystemEntries(_folder));

        var target = await TargetAsync();
        await PoolBackup.RestoreAsync(target, archive, Path.Combine(target.DataPath, "store"), CancellationToken.None);

        Assert.Equal(await File.ReadAllBytesAsync(data.BlobPath(sha)), await File.ReadAllBytesAsync(Path.Combine(target.DataPath, "store", BlobNames.Of(sha))));
        await using var restored = await CoordinatorProcess.StartAsync(target.Database, data.Service.AdminToken, ("HEARTH_DATA", target.DataPath));
        var (before, after) = (await RunsAsync(data.Service), await RunsAsync(restored));
        Assert.Equal(before.Select(r => (r.Id, r.Number, r.Name)), after.Select(r => (r.Id, r.Number, r.Name)));
        var swept = await DoingJobs.RunAsync(restored, "blob-sweep");
        Assert.False(swept.LastFailed, swept.LastResult);
    }

    [Fact]
    public async Task Without_blobs_they_are_listed_and_one_that_is_damaged_in_the_store_is_left_out()
    {
        string damaged = await CheckpointAsync(), whole = await CheckpointAsync();
        await File.WriteAllTextAsync(data.BlobPath(damaged), "something else");

        var (bare, full) = (await TakeAsync("bare", null), await TakeAsync("full", Store));

        Assert.All(bare.Blobs, b => Assert.False(b.Included));
        Assert.Equal((false, true), (full.Blobs.Single(b => b.Sha256 == damaged).Included, full.Blobs.Single(b => b.Sha256 == whole).Included));
    }

    [Fact]
    public async Task A_damaged_archive_is_refused_and_nothing_is_restored()
    {
        await CheckpointAsync();
        await TakeAsync("whole", Store);
        byte[] whole = await File.ReadAllBytesAsync(At("whole"));

        // A dump begins with these letters.
        byte[] flipped = [.. whole];
        flipped[whole.AsSpan().IndexOf("PGDMP"u8) + 500] ^= 1;
        await RefusedAsync("flipped", flipped, "database.dump has other bytes than were written");
        await RefusedAsync("cut", whole[..(whole.Length / 2 / 512 * 512)], "is damaged: ");
        await RefusedAsync("ended", whole[..4096], "is damaged: ");
        await RefusedAsync("text", "this is no archive"u8.ToArray(), "is damaged: ");
    }

    [Fact]
    public async Task A_newer_database_a_full_one_a_full_folder_and_a_taken_name_are_refused_by_name()
    {
        var newer = await TargetAsync();
        await using (var database = NpgsqlDataSource.Create(newer.Database))
        {
            await Migrator.RunAsync(database);
            await using var later = database.CreateCommand("insert into changelog (type, version, description, name, checksum, installed_by, success) values (0, '999', 'later', 'V999_later.sql', '', '', true)");
            await later.ExecuteNonQueryAsync();
        }

        await PoolBackup.TakeAsync(newer, At("newer"), null, CancellationToken.None);
        await TakeAsync("own", Store);
        var target = await TargetAsync();
        string store = Path.Combine(target.DataPath, "store");

        Assert.Contains("it has 999_later, which is not known here", await RefusalAsync(() => PoolBackup.RestoreAsync(target, At("newer"), store, CancellationToken.None)), StringComparison.Ordinal);
        Assert.Contains("tables already. A backup is restored into an empty database.", await RefusalAsync(() => PoolBackup.RestoreAsync(Options, At("own"), store, CancellationToken.None)), StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(store, "letters"));
        Assert.Contains($"The folder {store} is not empty.", await RefusalAsync(() => PoolBackup.RestoreAsync(target, At("own"), store, CancellationToken.None)), StringComparison.Ordinal);
        Assert.Contains("exists. Give a name that is free.", await RefusalAsync(() => PoolBackup.TakeAsync(Options, At("own"), null, CancellationToken.None)), StringComparison.Ordinal);
        Assert.Contains("There is no archive", await RefusalAsync(() => PoolBackup.RestoreAsync(target, At("nothing"), null, CancellationToken.None)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_nightly_job_is_there_when_a_folder_is_set_and_keeps_the_newest()
    {
        Assert.DoesNotContain(await DoingJobs.ListAsync(data.Service), j => j.Name == "database-backup");
        string nightly = At("nightly");
        Directory.CreateDirectory(nightly);
        string old = Path.Combine(nightly, BackupSettings.NameAt(DateTimeOffset.UtcNow.AddDays(-2)));
        await File.WriteAllTextAsync(old, "an old one");
        await using var service = await CoordinatorProcess.StartAsync(await postgres.CreateDatabaseAsync(), null, ("HEARTH_BACKUP_FOLDER", nightly), ("HEARTH_BACKUP_KEEP", "1"));

        var done = await DoingJobs.RunAsync(service, "database-backup");

        Assert.False(done.LastFailed, done.LastResult);
        string made = Assert.Single(Directory.EnumerateFiles(nightly));
        Assert.NotEqual(old, made);
        await BackupReader.CheckAsync(made, Migrator.Names, CancellationToken.None);
    }

    private string Store => Path.Combine(data.DataPath, "store");

    private CoordinatorOptions Options => new() { Database = data.Database.ConnectionString, DataPath = data.DataPath };

    private string At(string name) => Path.Combine(_folder, name);

    private Task<BackupContents> TakeAsync(string name, string? store) => PoolBackup.TakeAsync(Options, At(name), store, CancellationToken.None);

    // Somewhere empty; the folder of data is not made.
    private async Task<CoordinatorOptions> TargetAsync() => new() { Database = await postgres.CreateDatabaseAsync(), DataPath = At($"data-{Guid.NewGuid():N}") };

    private async Task RefusedAsync(string name, byte[] bytes, string why)
    {
        await File.WriteAllBytesAsync(At(name), bytes);
        var target = await TargetAsync();
        string said = await RefusalAsync(() => PoolBackup.RestoreAsync(target, At(name), Path.Combine(target.DataPath, "store"), CancellationToken.None));

        Assert.Contains(why, said, StringComparison.Ordinal);
        Assert.EndsWith("Nothing was restored.", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target.DataPath));
    }

    private static async Task<string> RefusalAsync(Func<Task> work) => (await Assert.ThrowsAsync<BackupRefusedException>(work)).Message;

    private static async Task<IReadOnlyList<RunSummary>> RunsAsync(CoordinatorProcess service) => (await service.Http.GetFromJsonAsync<Page<RunSummary>>("/api/v1/runs", Json.Wire))!.Items;

    private async Task<string> CheckpointAsync()
    {
        using var attempt = await data.PlaceAsync();
        (string Name, string Content) file = ("weights", $"w {Guid.NewGuid()}");
        await attempt.UploadAsync(file);
        (await attempt.PostAsync("checkpoints", attempt.Commit(10, file))).EnsureSuccessStatusCode();
        return PlacedAttempt.File(file.Name, file.Content).Sha256;
    }
}
