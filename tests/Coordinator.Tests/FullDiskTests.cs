using System.Net;
using Hearth.Coordinator.Backups;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests;

/// <summary>Disks of a coordinator run full, really: each place that it writes to says so in a sentence, leaves no half behind, and takes it once there is room.</summary>
[Collection(SharedPostgres.Name)]
public sealed class FullDiskTests(PostgresServer postgres)
{
    private static readonly byte[] Text = [.. Enumerable.Range(0, 20_000).SelectMany(i => System.Text.Encoding.UTF8.GetBytes($"{{\"text\": \"document {i}\"}}\n"))];

    [SkippableFact]
    public async Task A_dataset_and_an_upload_in_parts_are_answered_507_and_taken_once_there_is_room()
    {
        using var disk = new MountedDisk(4096);
        string connection = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(connection, null, ("HEARTH_DATA", disk.Path));
        await using var database = NpgsqlDataSource.Create(connection);
        using var attempt = await PlacedAttempt.CreateAsync(service, database, "docs", 3);
        disk.Fill();

        await RefusedAsync(await AddAsync(service));
        var store = new LocalObjectStore(disk.At("store"), new AddressSigner(AddressSigner.LoadKey(disk.Path), TimeProvider.System));
        var upload = await store.BeginAsync(new string('a', 64), CancellationToken.None);
        await Assert.ThrowsAsync<StoreFullException>(() => store.PutPartAsync(upload, new PartRange(1, 0, Text.Length), new MemoryStream(Text), CancellationToken.None));
        await store.AbandonAsync(upload, CancellationToken.None);
        Assert.Empty(Directory.EnumerateFiles(disk.At("store", "incoming")));

        // Without the folder that imports pass through, too.
        Directory.Delete(disk.At("imports"));
        await RefusedAsync(await AddAsync(service));
        Assert.Empty(Directory.EnumerateFiles(disk.At("imports")));

        disk.Free();
        using var taken = await AddAsync(service);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
    }

    [SkippableFact]
    public async Task A_backup_that_finds_no_room_is_refused_and_leaves_none_that_looks_whole()
    {
        using var disk = new MountedDisk(8192);
        string connection = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(connection);
        var options = new CoordinatorOptions { Database = connection, DataPath = CoordinatorProcess.DataPathOf(connection) };
        disk.Fill();

        var refused = await Assert.ThrowsAsync<BackupRefusedException>(() => PoolBackup.TakeAsync(options, disk.At("pool.backup"), null, CancellationToken.None));

        Assert.Contains("No space left on device", refused.Message, StringComparison.Ordinal);
        disk.Free();
        Assert.Empty(Directory.EnumerateFiles(disk.Path));
        await PoolBackup.TakeAsync(options, disk.At("pool.backup"), null, CancellationToken.None);
        Assert.Equal([disk.At("pool.backup")], Directory.EnumerateFiles(disk.Path));
    }

    [SkippableFact]
    public async Task A_key_and_a_first_token_that_find_no_room_are_not_made_by_halves()
    {
        using var disk = new MountedDisk(256);
        disk.Fill();

        var key = Assert.Throws<InvalidOperationException>(() => AddressSigner.LoadKey(disk.At("data")));
        var token = Assert.Throws<InvalidOperationException>(() => SecurityExtensions.WriteToken(disk.At("admin.token"), "hth_secret"));
        await Assert.ThrowsAsync<StoreFullException>(() => new LocalObjectStore(disk.At("store"), new AddressSigner(new byte[32], TimeProvider.System)).MarkAsync(new StoreIdentity(Guid.NewGuid(), DateTimeOffset.UnixEpoch), CancellationToken.None));

        Assert.Contains("a disk that is full", key.Message, StringComparison.Ordinal);
        Assert.Contains("no token was made", token.Message, StringComparison.Ordinal);
        disk.Free();
        Assert.Empty(Directory.EnumerateFiles(disk.Path, "*", SearchOption.AllDirectories));
        Assert.Equal(32, AddressSigner.LoadKey(disk.At("data")).Length);
        SecurityExtensions.WriteToken(disk.At("admin.token"), "hth_secret");
        Assert.Equal("hth_secret\n", File.ReadAllText(disk.At("admin.token")));
    }

    private static Task<HttpResponseMessage> AddAsync(CoordinatorProcess service) =>
        service.Http.PostAsync(new Uri("/api/v1/datasets?name=large&license=ours&kind=jsonl", UriKind.Relative), new ByteArrayContent(Text));

    private static async Task RefusedAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            Assert.Equal(HttpStatusCode.InsufficientStorage, answer.StatusCode);
            Assert.Contains("disk is full", await answer.DetailAsync(), StringComparison.Ordinal);
        }
    }
}
