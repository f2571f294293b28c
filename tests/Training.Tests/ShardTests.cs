using Hearth.Training.Data;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class ShardTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, 1, "the offset of document 0 1. Allowed: 0.")]
    [InlineData(1, 6, "the offset of document 2 5. Allowed: 6 to 9.")]
    [InlineData(2, 10, "the offset of document 2 10. Allowed: 3 to 9.")]
    [InlineData(1, -1, "the offset of document 1 -1. Allowed: 0 to 9.")]
    public void Offsets_out_of_order_are_refused_by_document_and_value(int document, long value, string words)
    {
        string path = _folder.At("x.qpk");
        ShardWriter.Write(path, [[1, 2, 3], [4, 5], [6, 7, 8, 9]], new string('a', 64), 300);
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.GetBytes(value).CopyTo(bytes, bytes.Length - ((3 - document) * sizeof(long)));
        File.WriteAllBytes(path, bytes);

        Assert.Equal($"The shard x.qpk has {words}", Assert.Throws<DatasetException>(() => Shard.Open(path)).Message);
    }

    [Fact]
    public void Documents_without_tokens_are_in_order()
    {
        string path = _folder.At("x.qpk");
        ShardWriter.Write(path, [[], [1, 2], [], []], new string('a', 64), 300);
        using var shard = Shard.Open(path);

        Assert.Equal([(0L, 0), (0L, 2), (2L, 0), (2L, 0)], Enumerable.Range(0, 4).Select(d => shard.Extent(d)));
    }

    [Fact]
    public void A_new_preparation_removes_what_a_killed_one_left_and_nothing_of_a_living_one()
    {
        string source = TinyRun.WriteText(_folder.Path), cache = _folder.At("cache");
        string dead = Directory.CreateDirectory(Path.Combine(cache, $"prepared-{new string('0', 32)}.{int.MaxValue}-{Guid.NewGuid():N}.tmp")).FullName;
        string alive = Directory.CreateDirectory(Path.Combine(cache, $"prepared-{new string('0', 32)}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp")).FullName;
        File.WriteAllText(Path.Combine(dead, PreparedDataset.TrainName), "half");

        string folder = PreparedDataset.Prepare(source, cache, new Preparation(300, 0.2));

        Assert.Equal([alive, folder], Directory.GetDirectories(cache).OrderBy(d => d == folder));
    }
}
