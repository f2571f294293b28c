using Hearth.Training.Data;
using Xunit;

namespace Hearth.Training.Tests;

public sealed class PackedRowsTests : IDisposable
{
    private const int Length = 64;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_conversation_stands_whole_in_one_row_with_its_targets_and_its_own_number()
    {
        var documents = Documents(500, seed: 3);
        using var shard = Write(documents);
        var packed = new PackedRows(shard, Length, padToken: 0);

        var rows = packed.Read((int)packed.Count, row => row);

        var found = new List<(int[] Ids, bool[] Targets)>();
        for (int row = 0; row < rows.Count; row++)
        {
            var own = Enumerable.Range(row * Length, Length).ToList();
            Assert.Equal(0, rows.Documents![own[0]]);
            Assert.Equal([.. own.Select(i => rows.Documents[i]).Order()], own.Select(i => rows.Documents[i]));
            found.AddRange(own.GroupBy(i => rows.Documents[i])
                .Select(g => (g.Select(i => rows.Ids[i]).ToArray(), g.Select(i => rows.Labels[i] == rows.Ids[i] && rows.Labels[i] != -100).ToArray()))
                .Where(d => d.Item1[0] != 0));
        }

        string Shown((int[] Ids, bool[] Targets) d) => $"{string.Join(' ', d.Ids)} / {string.Join(' ', d.Targets)}";
        Assert.Equal(documents.Select(d => Shown((d.Ids[..Math.Min(Length, d.Ids.Length)], d.Targets[..Math.Min(Length, d.Ids.Length)]))).Order(), found.Select(Shown).Order());
    }

    [Fact]
    public void Few_tokens_are_padding_and_the_rows_are_the_same_each_time()
    {
        using var shard = Write(Documents(500, seed: 4));
        var packed = new PackedRows(shard, Length, padToken: 0);

        var rows = packed.Read((int)packed.Count, row => row);

        Assert.Equal(rows.Ids, new PackedRows(shard, Length, padToken: 0).Read((int)packed.Count, row => row).Ids);
        Assert.InRange(rows.Ids.Count(id => id == 0), 0, rows.Ids.Length / 10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(1000)]
    public void A_loss_mask_is_read_as_it_was_written(int tokens)
    {
        var random = new Random(tokens);
        int[] ids = [.. Enumerable.Range(1, tokens)];
        bool[] targets = [.. ids.Select(_ => random.Next(2) == 0)];
        using var shard = Write([(ids, targets), ([5], [true])]);
        bool[] read = new bool[tokens + 1];

        shard.ReadTargets(0, read);

        Assert.True(shard.IsMasked);
        Assert.Null(shard.Rows);
        Assert.Equal([.. targets, true], read);
    }

    private static List<(int[] Ids, bool[] Targets)> Documents(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] ids = [.. Enumerable.Range(0, random.Next(1, Length + 20)).Select(_ => random.Next(1, 60_000))];
            return (ids, ids.Select(_ => random.Next(3) > 0).ToArray());
        })];
    }

    private Shard Write(IEnumerable<(int[] Ids, bool[] Targets)> documents)
    {
        string path = _folder.At("x.qpk");
        using (var shard = new ShardWriter(path, new string('a', 64), 60_000))
        {
            foreach (var (ids, targets) in documents)
            {
                shard.Add(ids, targets);
            }

            shard.Finish();
        }

        return Shard.Open(path);
    }
}
