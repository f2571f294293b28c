using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Hearth.Coordinator.Storage;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Storage;

[Collection(SharedPostgres.Name)]
public sealed class S3StoreTests(S3Server s3, PostgresServer postgres) : IClassFixture<S3Server>
{
    [Fact]
    public async Task A_blob_is_stored_found_listed_read_and_deleted()
    {
        using var store = new S3ObjectStore(s3.Options);
        byte[] content = RandomNumberGenerator.GetBytes(300_000);

        Assert.Null(await store.StatAsync(Sha(content), default));
        Assert.Null(await store.GetAsync(Sha(content), default));
        await store.PutAsync(Sha(content), new MemoryStream(content), default);

        Assert.Equal(content.Length, (await store.StatAsync(Sha(content), default))!.Bytes);
        Assert.Equal(content, await ReadAsync(store, Sha(content)));
        Assert.Contains((Sha(content), 300_000L), (await ListAsync(store)).Select(b => (b.Sha256, b.Bytes)));
        await store.DeleteAsync(Sha(content), default);
        await store.DeleteAsync(Sha(content), default);
        Assert.DoesNotContain(Sha(content), (await ListAsync(store)).Select(b => b.Sha256));
    }

    [Fact]
    public async Task A_large_blob_comes_back_whole()
    {
        using var store = new S3ObjectStore(s3.Options);
        byte[] content = RandomNumberGenerator.GetBytes(20 << 20);

        await store.PutAsync(Sha(content), new MemoryStream(content), default);

        Assert.Equal(Sha(content), Sha((await ReadAsync(store, Sha(content)))!));
    }

    [Fact]
    public async Task Other_content_than_its_name_says_is_not_stored()
    {
        using var store = new S3ObjectStore(s3.Options);

        await Assert.ThrowsAsync<WrongContentException>(() => store.PutAsync(Sha([1]), new MemoryStream([2]), default));

        Assert.Null(await store.StatAsync(Sha([1]), default));
    }

    [Fact]
    public async Task A_worker_uploads_commits_and_resumes_through_addresses_of_the_store()
    {
        string connection = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(
            connection,
            null,
            ("HEARTH_S3_ENDPOINT", s3.Options.Endpoint.OriginalString),
            ("HEARTH_S3_BUCKET", s3.Options.Bucket),
            ("HEARTH_S3_ACCESS_KEY", s3.Options.AccessKey),
            ("HEARTH_S3_SECRET_KEY", s3.Options.SecretKey));
        await using var database = NpgsqlDataSource.Create(connection);
        using var attempt = await PlacedAttempt.CreateAsync(service, database, "docs", 3);
        string content = $"weights {Guid.NewGuid()}";

        Assert.Equal(1, await attempt.UploadAsync(("weights", content)));
        Assert.Equal(0, await attempt.UploadAsync(("weights", content)));
        var made = await attempt.PostAsync<CheckpointCommitted>("checkpoints", attempt.Commit(10, ("weights", content)));

        var address = new Uri($"/api/v1/runs/{attempt.RunId}/checkpoints/{made.CheckpointId}/files/weights", UriKind.Relative);
        Assert.Equal(content, await service.Http.GetStringAsync(address));
        using var store = new S3ObjectStore(s3.Options);
        string read = await store.SignGetAsync(PlacedAttempt.File("weights", content).Sha256, TimeSpan.FromMinutes(1));
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, read) { Headers = { Range = new RangeHeaderValue(3, null) } };
        using var part = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.PartialContent, content[3..]), (part.StatusCode, await part.Content.ReadAsStringAsync()));
    }

    private static string Sha(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static async Task<byte[]?> ReadAsync(S3ObjectStore store, string sha256)
    {
        await using var stream = await store.GetAsync(sha256, default);
        using var memory = new MemoryStream();
        await stream!.CopyToAsync(memory);
        return memory.ToArray();
    }

    private static async Task<List<StoredBlob>> ListAsync(S3ObjectStore store)
    {
        var all = new List<StoredBlob>();
        await foreach (var blob in store.ListAsync(default))
        {
            all.Add(blob);
        }

        return all;
    }
}
