using Hearth.Coordinator.Blobs;
using Xunit;

namespace Hearth.Tests.Blobs;

public sealed class CuttingIntoParts
{
    [Theory]
    [InlineData(0, 10, "0+0")]
    [InlineData(10, 10, "0+10")]
    [InlineData(11, 10, "0+10 10+1")]
    [InlineData(30, 10, "0+10 10+10 20+10")]
    public void Parts_are_of_one_length_but_for_the_last(long bytes, long each, string parts) =>
        Assert.Equal(parts, string.Join(' ', PartLayout.Of(bytes, each).Select(p => $"{p.Offset}+{p.Bytes}")));

    [Theory]
    [InlineData(1L << 40, 32L << 20)]
    [InlineData((320L << 30) + 1, 32L << 20)]
    public void There_are_never_more_than_S3_takes_and_none_is_lost(long bytes, long each)
    {
        var parts = PartLayout.Of(bytes, each);

        Assert.InRange(parts.Count, 1, PartLayout.MostParts);
        Assert.Equal(Enumerable.Range(1, parts.Count), parts.Select(p => p.Number));
        Assert.Equal(bytes, parts.Sum(p => p.Bytes));
        Assert.All(parts, p => Assert.True(p.Bytes > 0));
    }
}
