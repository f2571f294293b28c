using Hearth.Agent.Tests.Support;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>Blobs and prepared datasets share one limit; the oldest go first, and what a live attempt uses stays.</summary>
public sealed class CacheTrimTests : IDisposable
{
    private static readonly DateTime Noon = new(2026, 11, 30, 12, 0, 0, DateTimeKind.Utc);
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData(100, 12, "")]
    [InlineData(60, 12, "")]
    [InlineData(59, 12, "c")]
    [InlineData(50, 12, "c")]
    [InlineData(10, 12, "b c")]
    [InlineData(0, 12, "a b c")]
    [InlineData(0, 10, "b c")]
    [InlineData(0, 8, "")]
    public void The_oldest_go_until_the_rest_fits_and_nothing_that_may_be_in_use(long limit, int neededHour, string gone)
    {
        CacheEntry[] entries = [new("b", 20, Noon.AddHours(-3)), new("c", 30, Noon.AddHours(-4)), new("a", 10, Noon.AddHours(-1))];

        Assert.Equal(gone.Split(' ', StringSplitOptions.RemoveEmptyEntries), CacheTrim.Choose(entries, limit, Noon.Date.AddHours(neededHour)).Select(e => e.Path));
    }

    [Fact]
    public void A_small_entry_that_is_old_stays_where_only_a_large_one_in_between_is_too_much()
    {
        CacheEntry[] entries = [new("new", 10, Noon), new("large", 100, Noon.AddHours(-1)), new("old", 10, Noon.AddHours(-2))];

        Assert.Equal(["large"], CacheTrim.Choose(entries, 20, Noon.AddHours(1)).Select(e => e.Path));
    }

    [Fact]
    public void Folders_of_prepared_datasets_go_whole()
    {
        string blobs = _folder.At("blobs"), prepared = _folder.At("prepared");
        Make(Path.Combine(blobs, "ab", "abc"), 100, Noon.AddHours(-2));
        Make(Path.Combine(prepared, "recording-1"), 10, Noon.AddHours(-9));
        foreach (var (name, hours) in new[] { ("old", -5), ("new", -1) })
        {
            Make(Path.Combine(prepared, name, "train.bin"), 500, Noon);
            Make(Path.Combine(prepared, name, "manifest.json"), 10, Noon);
            Directory.SetLastWriteTimeUtc(Path.Combine(prepared, name), Noon.AddHours(hours));
        }

        CacheTrim.Apply(blobs, prepared, 610, Noon.AddHours(1));

        Assert.Equal(["new"], Directory.GetDirectories(prepared).Select(Path.GetFileName));
        Assert.Empty(Directory.GetFiles(prepared));
        Assert.True(File.Exists(Path.Combine(blobs, "ab", "abc")));
        CacheTrim.Apply(blobs, prepared, 0, Noon.AddHours(-1));
        Assert.Equal(["new"], Directory.GetDirectories(prepared).Select(Path.GetFileName));
        Assert.False(File.Exists(Path.Combine(blobs, "ab", "abc")));
    }

    public void Dispose() => _folder.Dispose();

    private static void Make(string path, int bytes, DateTime used)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[bytes]);
        File.SetLastWriteTimeUtc(path, used);
    }
}
