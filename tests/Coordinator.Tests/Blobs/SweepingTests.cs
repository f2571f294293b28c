using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Hearth.Api;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests.Blobs;

[Collection(SharedPostgres.Name)]
public sealed class SweepingTests(DataService data) : IClassFixture<DataService>
{
    [Fact]
    public async Task What_nothing_uses_is_quarantined_after_an_hour_and_deleted_a_day_later_and_nothing_else_is_touched()
    {
        using var attempt = await data.PlaceAsync();
        (string Name, string Content) kept = ("weights", Unique()), announced = ("weights", Unique()), left = ("weights", Unique());
        await CommitAsync(attempt, 10, kept);
        await attempt.UploadAsync(announced);
        using (var over = await data.PlaceAsync())
        {
            await over.UploadAsync(left);
            await over.EndAsync();
        }

        string stray = data.BlobPath(Convert.ToHexStringLower(SHA256.HashData("of another pool"u8)));
        Directory.CreateDirectory(Path.GetDirectoryName(stray)!);
        await File.WriteAllTextAsync(stray, "of another pool");
        File.SetLastWriteTimeUtc(stray, DateTime.UtcNow.AddDays(-30));
        bool Stored((string Name, string Content) file) => File.Exists(data.BlobPath(PlacedAttempt.File(file.Name, file.Content).Sha256));

        Assert.Equal(0, (await SweepAsync()).Quarantined.Blobs);
        await data.ExecuteAsync("update blobs set wanted_at = now() - interval '2 hours'");
        var preview = await PreviewAsync();
        Assert.Equal((1, 0, 1, "of another pool".Length), (preview.Quarantined.Blobs, preview.Deleted.Blobs, preview.Unknown.Blobs, preview.Unknown.Bytes));
        Assert.Equal(1, (await SweepAsync()).Quarantined.Blobs);
        Assert.Equal(0, (await SweepAsync()).Deleted.Blobs);
        Assert.True(Stored(kept) && Stored(announced) && Stored(left));

        await data.ExecuteAsync("update blobs set quarantined_at = now() - interval '25 hours' where quarantined_at is not null");
        Assert.Equal(1, (await PreviewAsync()).Deleted.Blobs);
        Assert.True(Stored(left));
        Assert.Equal(1, (await SweepAsync()).Deleted.Blobs);

        Assert.Equal((true, true, false, true), (Stored(kept), Stored(announced), Stored(left), File.Exists(stray)));
        await CommitAsync(attempt, 20, announced);
        File.Delete(stray);
    }

    [Fact]
    public async Task A_quarantined_blob_that_is_wanted_again_is_kept()
    {
        using var attempt = await data.PlaceAsync();
        (string Name, string Content) file = ("weights", Unique());
        await attempt.UploadAsync(file);
        string sha = PlacedAttempt.File(file.Name, file.Content).Sha256;
        await data.ExecuteAsync($"update blobs set wanted_by = null, quarantined_at = now() - interval '25 hours' where sha256 = '{sha}'");

        Assert.Equal(0, await attempt.UploadAsync(file));
        await SweepAsync();

        Assert.True(File.Exists(data.BlobPath(sha)));
        await CommitAsync(attempt, 10, file);
    }

    [Fact]
    public async Task Only_an_admin_may_sweep()
    {
        using var attempt = await data.PlaceAsync();
        using var response = await attempt.Http.PostAsync(new Uri("/api/v1/blobs/sweep", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    private static string Unique() => $"w {Guid.NewGuid()}";

    private static async Task CommitAsync(PlacedAttempt attempt, long step, params (string Name, string Content)[] files)
    {
        await attempt.UploadAsync(files);
        (await attempt.PostAsync("checkpoints", attempt.Commit(step, files))).EnsureSuccessStatusCode();
    }

    private async Task<BlobSweepView> PreviewAsync() => (await data.Service.Http.GetFromJsonAsync<BlobSweepView>("/api/v1/blobs/sweep", Json.Wire))!;

    private async Task<BlobSweepView> SweepAsync()
    {
        using var response = await data.Service.PostAsync("/api/v1/blobs/sweep");
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<BlobSweepView>(Json.Wire))!;
    }
}
