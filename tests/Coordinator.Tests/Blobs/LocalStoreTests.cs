using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Hearth.Coordinator.Blobs;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Blobs;

[Collection(SharedPostgres.Name)]
public sealed class LocalStoreTests(DataService data, PostgresServer postgres) : IClassFixture<DataService>
{
    [Fact]
    public async Task A_blob_is_written_and_read_in_parts_through_signed_addresses()
    {
        using var attempt = await data.PlaceAsync();
        byte[] content = RandomNumberGenerator.GetBytes(300_000);
        string url = await TicketAsync(attempt, content);

        Assert.Equal(HttpStatusCode.NoContent, await PutAsync(url, content));

        string read = data.Signer().Get(Sha(content), TimeSpan.FromMinutes(1), null);
        using var http = data.Service.Client(null);
        Assert.Equal(content, await http.GetByteArrayAsync(new Uri(read, UriKind.Relative)));
        using var request = new HttpRequestMessage(HttpMethod.Get, read) { Headers = { Range = new RangeHeaderValue(299_990, null) } };
        using var part = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal(content[299_990..], await part.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Other_bytes_than_announced_are_refused_and_nothing_is_kept()
    {
        using var attempt = await data.PlaceAsync();
        byte[] content = RandomNumberGenerator.GetBytes(50_000), other = RandomNumberGenerator.GetBytes(50_000);
        string url = await TicketAsync(attempt, content);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PutAsync(url, other));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PutAsync(url, content[..^1]));

        Assert.False(File.Exists(data.BlobPath(Sha(content))));
        Assert.False(File.Exists(data.BlobPath(Sha(other))));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(data.DataPath, "store", "incoming")));
        Assert.Equal(HttpStatusCode.NoContent, await PutAsync(url, content));
    }

    [Fact]
    public async Task A_changed_or_expired_address_is_refused()
    {
        using var attempt = await data.PlaceAsync();
        byte[] content = RandomNumberGenerator.GetBytes(1000);
        string put = await TicketAsync(attempt, content), sha = Sha(content), other = Sha([1, 2, 3]);
        await PutAsync(put, content);
        string get = data.Signer().Get(sha, TimeSpan.FromMinutes(1), null);
        using var http = data.Service.Client(null);
        string[] wrong =
        [
            get[..^1] + (get[^1] == '0' ? '1' : '0'),
            get.Replace("expires=", "expires=9", StringComparison.Ordinal),
            get.Replace(BlobNames.Of(sha), BlobNames.Of(other), StringComparison.Ordinal),
            get + "&name=weights.exe",
            get[..get.IndexOf('?', StringComparison.Ordinal)],
            put,
            data.Signer().Get(sha, TimeSpan.FromSeconds(-1), null),
        ];

        foreach (string url in wrong)
        {
            using var response = await http.GetAsync(new Uri(url, UriKind.Relative));
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(get, content));
        Assert.Equal(HttpStatusCode.Forbidden, await PutAsync(put.Replace("bytes=1000", "bytes=9000", StringComparison.Ordinal), content));
    }

    [Fact]
    public async Task A_blob_that_is_not_there_is_answered_404()
    {
        using var http = data.Service.Client(null);

        using var response = await http.GetAsync(new Uri(data.Signer().Get(Sha([9]), TimeSpan.FromMinutes(1), null), UriKind.Relative));

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public void The_signing_key_is_made_once_and_is_its_owners_alone()
    {
        string folder = Directory.CreateTempSubdirectory("hearth-key-").FullName;
        try
        {
            byte[] key = AddressSigner.LoadKey(folder);

            Assert.Equal(32, key.Length);
            Assert.Equal(key, AddressSigner.LoadKey(folder));
            Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(Path.Combine(folder, "store.key")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [SkippableFact]
    public async Task A_full_disk_is_answered_507_and_leaves_nothing_behind()
    {
        using var disk = new MountedDisk(1024);
        string connection = await postgres.CreateDatabaseAsync();
        await using var service = await CoordinatorProcess.StartAsync(connection, null, ("HEARTH_DATA", disk.Path));
        await using var database = Npgsql.NpgsqlDataSource.Create(connection);
        using var attempt = await PlacedAttempt.CreateAsync(service, database, "docs", 3);
        byte[] large = RandomNumberGenerator.GetBytes(3 << 20), small = RandomNumberGenerator.GetBytes(100_000);
        using var http = service.Client(null);

        using var refused = await http.PutAsync(new Uri(await TicketAsync(attempt, large), UriKind.Relative), new ByteArrayContent(large));
        using var accepted = await http.PutAsync(new Uri(await TicketAsync(attempt, small), UriKind.Relative), new ByteArrayContent(small));

        Assert.Equal(HttpStatusCode.InsufficientStorage, refused.StatusCode);
        Assert.Contains("full", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NoContent, accepted.StatusCode);
        Assert.Equal([Sha(small)], Directory.EnumerateFiles(disk.At("store"), "*", SearchOption.AllDirectories).Select(Path.GetFileName).Where(f => f != StoreIdentity.FileName));
    }

    private static string Sha(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static async Task<string> TicketAsync(PlacedAttempt attempt, byte[] content)
    {
        var answer = await attempt.PostAsync<UploadsResponse>("uploads", new UploadsRequest(attempt.Lease, [new FileRef("weights", Sha(content), content.Length)]));
        return Assert.Single(Assert.Single(answer.Tickets).Parts).Url;
    }

    private async Task<HttpStatusCode> PutAsync(string url, byte[] content)
    {
        using var http = data.Service.Client(null);
        using var response = await http.PutAsync(new Uri(url, UriKind.Relative), new ByteArrayContent(content));
        return response.StatusCode;
    }
}
