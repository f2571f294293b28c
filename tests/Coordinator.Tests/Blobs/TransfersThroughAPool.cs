using System.Net;
using System.Security.Cryptography;
using Hearth.Agent;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Blobs;

/// <summary>The agent's own transfers against a real coordinator in front of a real store of each kind.</summary>
public abstract class TransfersThroughAPool(PostgresServer postgres) : IAsyncLifetime
{
    private const long Part = 5 << 20;
    private readonly string _folder = Directory.CreateTempSubdirectory("hearth-transfers-").FullName;
    private readonly byte[] _content = RandomNumberGenerator.GetBytes((int)(2 * Part) + 54_321);
    private CoordinatorProcess _service = null!;
    private NpgsqlDataSource _database = null!;
    private PlacedAttempt _attempt = null!;

    protected abstract (string, string)[] Settings { get; }

    public async Task InitializeAsync()
    {
        string connection = await postgres.CreateDatabaseAsync();
        _service = await CoordinatorProcess.StartAsync(connection, null, [("HEARTH_STORE_PART_MIB", "5"), .. Settings]);
        _database = NpgsqlDataSource.Create(connection);
        _attempt = await PlacedAttempt.CreateAsync(_service, _database, "docs", 3);
        await File.WriteAllBytesAsync(Local("weights"), _content);
    }

    public async Task DisposeAsync()
    {
        _attempt.Dispose();
        await _database.DisposeAsync();
        await _service.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_large_blob_goes_up_in_parts_and_after_a_break_only_the_missing_ones_are_sent()
    {
        using var store = new StoreClient(_service.Address);
        var sender = new BlobSender(store);
        var ticket = await TicketAsync();
        Assert.Equal([Part, Part, 54_321], ticket.Parts.Select(p => p.Bytes));

        // The connection breaks after the second part; where the first one went is gone for good.
        await sender.SendAsync(ticket with { Parts = [ticket.Parts[1]] }, Local("weights"), default);
        var dead = ticket.Parts[1] with { Url = "http://127.0.0.1:9/" };
        await Assert.ThrowsAsync<TransferException>(() => sender.SendAsync(ticket with { Parts = [dead with { Number = 9 }] }, Local("weights"), default));

        var again = await TicketAsync();
        var receipts = await sender.SendAsync(again with { Parts = [again.Parts[0], dead, again.Parts[2]] }, Local("weights"), default);
        var finish = new UploadFinish(_attempt.Lease, again.Sha256, again.UploadId!, receipts);

        Assert.Equal(ticket.UploadId, again.UploadId);
        using var early = await _attempt.PostAsync("checkpoints", Commit());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, early.StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, (await _attempt.PostAsync("uploads/finish", finish with { Lease = _attempt.Stale })).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await _attempt.PostAsync("uploads/finish", finish)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await _attempt.PostAsync("uploads/finish", finish)).StatusCode);
        Assert.Empty((await TicketAsync()).Parts);
        (await _attempt.PostAsync("checkpoints", Commit())).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task A_download_comes_in_ranges_and_goes_on_after_a_break_and_after_a_start_of_the_agent()
    {
        var blob = await StoredAsync();
        using var store = new StoreClient(_service.Address);
        using var broken = new CancellationTokenSource();
        long before = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new BlobDownload(store, blob, Local("down"), new AgentTimings(), Part).RunAsync(
            n =>
            {
                before = n;
                if (File.Exists(Local("down.parts")))
                {
                    broken.Cancel();
                }
            },
            broken.Token));

        long first = 0;
        await new BlobDownload(store, blob, Local("down"), new AgentTimings(), Part).RunAsync(n => first = first == 0 ? n : first, default);

        Assert.Equal(_content, await File.ReadAllBytesAsync(Local("down")));
        Assert.True(before > 0 && first > 54_321, $"the second start had {first} bytes when its first came");
        Assert.False(File.Exists(Local("down.parts")));
    }

    [Fact]
    public async Task What_arrives_with_another_hash_is_not_given_out()
    {
        var blob = await StoredAsync();
        using var store = new StoreClient(_service.Address);

        var e = await Assert.ThrowsAsync<CorruptBlobException>(
            () => new BlobDownload(store, blob with { Sha256 = new string('a', 64) }, Local("down"), new AgentTimings(), Part).RunAsync(_ => { }, default));

        Assert.Contains("expected aaaaaaaaaaaa…", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Local("down")));
    }

    private string Local(string name) => Path.Combine(_folder, name);

    private FileRef FileOf() => new("weights", Convert.ToHexStringLower(SHA256.HashData(_content)), _content.Length);

    private CheckpointCommit Commit() => _attempt.Commit(10) with { Manifest = _attempt.Commit(10).Manifest with { Files = [FileOf()] } };

    private async Task<UploadTicket> TicketAsync() =>
        Assert.Single((await _attempt.PostAsync<UploadsResponse>("uploads", new UploadsRequest(_attempt.Lease, [FileOf()]))).Tickets);

    private async Task<BlobRef> StoredAsync()
    {
        using var store = new StoreClient(_service.Address);
        var ticket = await TicketAsync();
        var receipts = await new BlobSender(store).SendAsync(ticket, Local("weights"), default);
        (await _attempt.PostAsync("uploads/finish", new UploadFinish(_attempt.Lease, ticket.Sha256, ticket.UploadId!, receipts))).EnsureSuccessStatusCode();
        var made = await _attempt.PostAsync<CheckpointCommitted>("checkpoints", Commit());
        using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = _service.Address };
        http.DefaultRequestHeaders.Authorization = _service.Http.DefaultRequestHeaders.Authorization;
        using var redirect = await http.GetAsync(new Uri($"/api/v1/runs/{_attempt.RunId}/checkpoints/{made.CheckpointId}/files/weights", UriKind.Relative));
        return new BlobRef("weights", FileOf().Sha256, FileOf().Bytes, redirect.Headers.Location!.OriginalString);
    }
}

[Collection(SharedPostgres.Name)]
public sealed class TransfersThroughAFolder(PostgresServer postgres) : TransfersThroughAPool(postgres)
{
    protected override (string, string)[] Settings => [];
}

[Collection(SharedPostgres.Name)]
public sealed class TransfersThroughS3(PostgresServer postgres, S3Server s3) : TransfersThroughAPool(postgres), IClassFixture<S3Server>
{
    protected override (string, string)[] Settings =>
    [
        ("HEARTH_S3_ENDPOINT", s3.Options.Endpoint.OriginalString), ("HEARTH_S3_BUCKET", s3.Options.Bucket), ("HEARTH_S3_PREFIX", $"pools/{Guid.NewGuid():N}"),
        ("HEARTH_S3_ACCESS_KEY", s3.Options.AccessKey), ("HEARTH_S3_SECRET_KEY", s3.Options.SecretKey),
    ];
}

[Collection(SharedPostgres.Name)]
public sealed class TransfersThroughAzure(PostgresServer postgres, AzureServer azure) : TransfersThroughAPool(postgres), IClassFixture<AzureServer>
{
    protected override (string, string)[] Settings =>
        [("HEARTH_AZURE_CONNECTION", azure.Options.Connection), ("HEARTH_AZURE_CONTAINER", azure.Options.Container), ("HEARTH_AZURE_PREFIX", $"pools/{Guid.NewGuid():N}")];
}
