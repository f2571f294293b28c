using Hearth.Training.Data;
using Xunit;

namespace Hearth.Tests.Qovaryx;

public sealed class Check11_ShardTests : IDisposable
{
    private const int Length = 16;
    private const int Rows = 3;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():n}.bin");

    public void Dispose() => File.Delete(_path);

    [Theory]
    [InlineData(20_242)]
    [InlineData(100_000)]
    public void Check_11_packed_tokens_read_back_equal_and_a_resumed_order_gives_the_next_batch(int vocabulary)
    {
        var random = new Random(6);
        int[][] documents = [.. Enumerable.Range(0, 40).Select(_ => Enumerable.Range(0, 1 + random.Next(30)).Select(_ => random.Next(vocabulary)).ToArray())];
        int[] all = [.. documents.SelectMany(d => d)];
        ShardWriter.Write(_path, documents, new string('a', 64), vocabulary);
        using (var shard = Shard.Open(_path))
        {
            int[] read = new int[all.Length];
            shard.Read(0, read);
            Assert.Equal((all.Length, documents.Length), (shard.Tokens, shard.DocumentCount));
            Assert.Equal(all, read);
        }

        // A run that stopped between any two steps opens the file anew and knows only seed, stage and step; 20 steps span epochs.
        int[][] straight = [.. Batches(0, 20)];
        for (int stop = 0; stop < 20; stop += 7)
        {
            Assert.Equal(straight[stop..], Batches(stop, 20));
        }

        Assert.NotEqual(straight[0], straight[1]);
    }

    private IEnumerable<int[]> Batches(long from, long to)
    {
        using var shard = Shard.Open(_path);
        var order = new BatchOrder(shard.Tokens / Length, 9, 2);
        for (long step = from; step < to; step++)
        {
            int[] batch = new int[Rows * Length];
            for (int row = 0; row < Rows; row++)
            {
                shard.Read(order.Window(step, row, Rows) * Length, batch.AsSpan(row * Length, Length));
            }

            yield return batch;
        }
    }
}
