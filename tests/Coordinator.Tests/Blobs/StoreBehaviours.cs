using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Hearth.Coordinator.Blobs;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Hearth.Tests.Blobs;

/// <summary>What holds for every kind of store, tried on a real server of each.</summary>
public abstract class StoreBehaviours
{
    private const int PartBytes = 5 << 20;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>A store that nobody else uses and that bears no mark.</summary>
    protected abstract IObjectStore Fresh();

    /// <summary>One whose folder, bucket or container is not there.</summary>
    protected abstract IObjectStore Gone();

    /// <summary>What the end of an upload that is not known comes to.</summary>
    protected virtual Type Unknown => typeof(UnknownUploadException);

    /// <summary>What the store's addresses are relative to.</summary>
    protected abstract HttpClient Http();

    [Fact]
    public async Task A_blob_is_stored_found_listed_read_and_deleted()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes(300_000);

        Assert.Null(await store.StatAsync(Sha(content), default));
        Assert.Null(await store.GetAsync(Sha(content), default));
        await store.PutAsync(Sha(content), new MemoryStream(content), default);

        Assert.Equal(content.Length, (await store.StatAsync(Sha(content), default))!.Bytes);
        Assert.Equal(content, await ReadAsync(store, Sha(content)));
        Assert.Equal([new StoredBlob(Sha(content), 300_000)], await ListAsync(store));
        await store.DeleteAsync(Sha(content), default);
        await store.DeleteAsync(Sha(content), default);
        Assert.Empty(await ListAsync(store));
    }

    [Fact]
    public async Task A_large_blob_comes_back_whole()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes(36 << 20);

        await store.PutAsync(Sha(content), new MemoryStream(content), default);

        Assert.Equal(Sha(content), Sha(await ReadAsync(store, Sha(content))));
    }

    [Fact]
    public async Task A_mark_is_read_back_and_replaced_and_is_no_blob()
    {
        var store = Fresh();
        Assert.Null(await store.IdentityAsync(default));
        var first = new StoreIdentity(Guid.NewGuid(), DateTimeOffset.UnixEpoch);
        var second = first with { Pool = Guid.NewGuid() };

        await store.MarkAsync(first, default);
        Assert.Equal(first, await store.IdentityAsync(default));
        await store.MarkAsync(second, default);

        Assert.Equal(second, await store.IdentityAsync(default));
        Assert.Empty(await ListAsync(store));
    }

    [Fact]
    public async Task Other_content_than_its_name_says_is_not_stored()
    {
        var store = await MarkedAsync();

        await Assert.ThrowsAsync<WrongContentException>(() => store.PutAsync(Sha([1]), new MemoryStream([2]), default));

        Assert.Null(await store.StatAsync(Sha([1]), default));
    }

    [Fact]
    public async Task A_store_that_is_not_there_is_never_told_as_a_blob_that_is_not()
    {
        var store = Gone();
        string sha = Sha([1]);

        await Assert.ThrowsAsync<StoreAwayException>(() => store.GetAsync(sha, default));
        await Assert.ThrowsAsync<StoreAwayException>(() => store.PutAsync(sha, new MemoryStream([1]), default));
        await Assert.ThrowsAsync<StoreAwayException>(() => store.DeleteAsync(sha, default));
    }

    [Fact]
    public async Task An_address_gives_the_whole_and_ranges_and_a_name_for_browsers()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes(100_000);
        await store.PutAsync(Sha(content), new MemoryStream(content), default);
        using var http = Http();

        Assert.Equal(content, await http.GetByteArrayAsync(Address(await store.SignGetAsync(Sha(content), Minute))));
        using var request = new HttpRequestMessage(HttpMethod.Get, Address(await store.SignGetAsync(Sha(content), Minute))) { Headers = { Range = new RangeHeaderValue(500, 599) } };
        using var part = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.PartialContent, 500L), (part.StatusCode, part.Content.Headers.ContentRange!.From));
        Assert.Equal(content[500..600], await part.Content.ReadAsByteArrayAsync());
        using var named = await http.GetAsync(Address(await store.SignGetAsync(Sha(content), Minute, "weights of r-3.bin")));
        Assert.Contains("weights", named.Content.Headers.ContentDisposition!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_ticket_of_one_part_stores_the_blob()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes(100_000);
        var ticket = await store.SignPutAsync(Sha(content), content.Length, Minute);
        using var http = Http();

        using var answer = await http.SendAsync(PlacedAttempt.Put(Assert.Single(ticket.Parts), content));

        Assert.True(answer.IsSuccessStatusCode, answer.ToString());
        Assert.Null(ticket.UploadId);
        Assert.Equal(content, await ReadAsync(store, Sha(content)));
    }

    [Fact]
    public async Task Parts_in_any_order_and_sent_twice_make_the_blob_and_nothing_is_seen_before()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes((2 * PartBytes) + 12_345);
        var upload = await store.BeginAsync(Sha(content), default);
        var ticket = await store.SignPartsAsync(upload, PartLayout.Of(content.Length, PartBytes), Minute);
        using var http = Http();
        var receipts = new Dictionary<int, PartReceipt>();
        foreach (int i in new[] { 2, 0, 1, 0 })
        {
            var part = ticket.Parts[i];
            using var answer = await http.SendAsync(PlacedAttempt.Put(part, content[(int)part.Offset..(int)(part.Offset + part.Bytes)]));
            Assert.True(answer.IsSuccessStatusCode, answer.ToString());
            receipts[part.Number] = new PartReceipt(part.Number, answer.Headers.ETag?.ToString());
        }

        Assert.Null(await store.StatAsync(Sha(content), default));
        await store.FinishAsync(upload, [.. receipts.Values.OrderBy(r => r.Number)], default);

        Assert.Equal(Sha(content), Sha(await ReadAsync(store, Sha(content))));
    }

    [Fact]
    public async Task An_upload_that_is_given_up_stores_nothing()
    {
        var store = await MarkedAsync();
        byte[] content = RandomNumberGenerator.GetBytes(PartBytes + 1);
        var upload = await store.BeginAsync(Sha(content), default);
        var ticket = await store.SignPartsAsync(upload, PartLayout.Of(content.Length, PartBytes), Minute);
        using var http = Http();
        using var answer = await http.SendAsync(PlacedAttempt.Put(ticket.Parts[0], content[..PartBytes]));

        await store.AbandonAsync(upload, default);
        await store.AbandonAsync(upload, default);

        Assert.True(answer.IsSuccessStatusCode, answer.ToString());
        Assert.Null(await store.StatAsync(Sha(content), default));
    }

    [Fact]
    public async Task An_upload_that_the_store_does_not_know_cannot_be_finished()
    {
        var store = await MarkedAsync();
        var upload = new PartsUpload(Sha([3]), Guid.NewGuid().ToString("N"));

        await Assert.ThrowsAsync(Unknown, () => store.FinishAsync(upload, [new PartReceipt(1, "\"00\"")], default));

        Assert.Null(await store.StatAsync(Sha([3]), default));
    }

    [Fact]
    public async Task An_address_that_has_expired_is_refused()
    {
        var store = await MarkedAsync();
        await store.PutAsync(Sha([7]), new MemoryStream([7]), default);
        string address = await store.SignGetAsync(Sha([7]), TimeSpan.FromSeconds(1));
        using var http = Http();

        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await http.GetAsync(Address(address));
                return answer.StatusCode == HttpStatusCode.Forbidden;
            },
            "the address expires");
    }

    protected static Uri Address(string url) => new(url, UriKind.RelativeOrAbsolute);

    private static string Sha(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static async Task<byte[]> ReadAsync(IObjectStore store, string sha256)
    {
        await using var stream = await store.GetAsync(sha256, default);
        using var memory = new MemoryStream();
        await stream!.CopyToAsync(memory);
        return memory.ToArray();
    }

    private static async Task<List<StoredBlob>> ListAsync(IObjectStore store)
    {
        var all = new List<StoredBlob>();
        await foreach (var blob in store.ListAsync(default))
        {
            all.Add(blob);
        }

        return all;
    }

    private async Task<IObjectStore> MarkedAsync()
    {
        var store = Fresh();
        await store.MarkAsync(new StoreIdentity(Guid.NewGuid(), DateTimeOffset.UnixEpoch), default);
        return store;
    }
}

public sealed class S3Behaviours(S3Server s3) : StoreBehaviours, IClassFixture<S3Server>
{
    // So that the coordinator's own writing in parts is tried too.
    protected override IObjectStore Fresh() => new S3ObjectStore(s3.Options with { Prefix = $"{Guid.NewGuid():N}/" }, mostAtOnce: 8 << 20);

    // This server answers 500 where S3 answers 404.
    protected override Type Unknown => typeof(StoreAwayException);

    protected override IObjectStore Gone() => new S3ObjectStore(s3.Options with { Bucket = "no-such-bucket" });

    protected override HttpClient Http() => new();
}

public sealed class AzureBehaviours(AzureServer azure) : StoreBehaviours, IClassFixture<AzureServer>
{
    protected override IObjectStore Fresh() => new AzureObjectStore(azure.Options with { Prefix = $"{Guid.NewGuid():N}/" });

    protected override IObjectStore Gone() => new AzureObjectStore(azure.Options with { Container = "no-such-container" });

    protected override HttpClient Http() => new();
}

public sealed class LocalBehaviours : StoreBehaviours, IAsyncLifetime
{
    private readonly string _root = Directory.CreateTempSubdirectory("hearth-local-").FullName;
    private readonly AddressSigner _signer = new(RandomNumberGenerator.GetBytes(32), TimeProvider.System);
    private WebApplication _app = null!;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(_signer);
        builder.Services.AddSingleton<IObjectStore>(new LocalObjectStore(_root, _signer));
        _app = builder.Build();
        _app.MapStore();
        await _app.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    // A class of tests makes one instance a test, so each has a folder of its own.
    protected override IObjectStore Fresh() => _app.Services.GetRequiredService<IObjectStore>();

    protected override IObjectStore Gone() => new LocalObjectStore(Path.Combine(_root, "unmounted"), _signer);

    protected override HttpClient Http() => new() { BaseAddress = new Uri(_app.Urls.First()) };
}
