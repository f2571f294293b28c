using FsCheck;
using FsCheck.Fluent;
using Hearth.Coordinator.Metrics.Storage;
using Xunit;

namespace Hearth.Tests.Metrics;

public sealed class GrowingSeries
{
    /// <summary>
    /// Against all points in one table: any batches of attempts that repeat each other's steps, any of them compacted, over a few steps and over
    /// more than a level holds, read as any stretch in any number of buckets.
    /// </summary>
    [Fact]
    public void A_chart_is_the_same_whatever_was_compacted_and_whatever_waits() => Prop.ForAll<int>(seed =>
    {
        var random = new Random(seed);
        var (rows, all) = (new Rows(), new List<Point>());
        int width = (int)Math.Pow(10, random.Next(1, 7));
        long step = random.Next(20_000);
        for (int batch = 0; batch < random.Next(1, 12); batch++)
        {
            if (random.Next(4) == 0)
            {
                step = Math.Max(0, step - random.Next(width * 3));
            }

            var points = Enumerable.Range(0, random.Next(1, 60)).Select(_ => new Point(step += random.Next(1, width), random.Next(1000), random.Next(-50, 50), batch / 3)).ToList();
            all.AddRange(points);
            rows.Tail.AddRange(points);
            if (random.Next(2) == 0)
            {
                rows.Compact();
            }

            var asked = random.Next(3) == 0 ? new StepRange(0, long.MaxValue) : new StepRange(random.NextInt64(step + 1), step + random.Next(10));
            int most = random.Next(1, 200);
            var (size, expected) = Naive(all, asked, most);
            var view = rows.View(asked, most);

            Assert.Equal(expected, view.Buckets());
            Assert.True(expected.Count == 0 || size == view.Size);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Compacting_the_same_batches_twice_changes_no_byte()
    {
        var rows = new Rows();
        rows.Tail.AddRange(Enumerable.Range(1, 30_000).Select(i => new Point(i, i, i % 7, 1)));
        var tail = rows.Tail.ToList();
        rows.Compact();
        var before = rows.Stored.ToDictionary(r => r.Key, r => Convert.ToHexString(r.Value));
        rows.Tail.AddRange(tail);
        rows.Compact();

        Assert.Equal(before, rows.Stored.ToDictionary(r => r.Key, r => Convert.ToHexString(r.Value)));
        Assert.Equal([(0, 0L), (0, 1L), (0, 2L), (0, 3L), (1, 0L)], before.Keys.Order());
    }

    [Fact]
    public void A_chart_of_a_long_series_reads_few_chunks_wherever_it_is()
    {
        const int Steps = 100_000_000, Chart = 2000;
        foreach (int shift in Enumerable.Range(0, 27))
        {
            long width = Steps >> shift;
            foreach (long from in new[] { 0, (Steps - width) / 2, Steps - width })
            {
                var chunks = SeriesView.Of(new StepRange(0, Steps), [], new StepRange(from, from + width), Chart).Needs().Sum(n => n.Last - n.First + 1);

                Assert.InRange(chunks, 1, 40);
            }
        }
    }

    private static (long Size, IReadOnlyList<Bucket> Buckets) Naive(List<Point> all, StepRange asked, int most)
    {
        var counted = Bucketing.Merge(all);
        long low = Math.Max(asked.First, counted[0].Step), high = Math.Min(asked.Last, counted[^1].Step);
        if (low > high)
        {
            return (1, []);
        }

        long size = Bucketing.Choose(low, high, most);
        return (size, Bucketing.Of([.. counted.Where(p => p.Step / size >= low / size && p.Step / size <= high / size)], size));
    }

    /// <summary>What the tables would hold of one series.</summary>
    private sealed class Rows
    {
        internal Dictionary<(int Level, long Chunk), byte[]> Stored { get; } = [];

        internal List<Point> Tail { get; } = [];

        private StepRange? Steps { get; set; }

        internal void Compact()
        {
            var tree = new SeriesTree(Steps, Tail);
            int level = ChunkGrid.Depth(tree.Steps!.Value);
            Load(tree, tree.Needs(level));
            tree.Grow(level);
            foreach (var (at, chunk, data) in tree.Changed())
            {
                Stored[(at, chunk)] = data;
            }

            Steps = tree.Steps;
            Tail.Clear();
        }

        internal SeriesView View(StepRange asked, int most)
        {
            var view = SeriesView.Of(Steps, [.. Tail], asked, most);
            Load(view.Tree, view.Needs());
            return view;
        }

        private void Load(SeriesTree tree, IEnumerable<ChunkRange> needs)
        {
            foreach (var need in needs.Distinct())
            {
                foreach (var row in Stored.Where(r => r.Key.Level == need.Level && r.Key.Chunk >= need.First && r.Key.Chunk <= need.Last))
                {
                    tree.Load(need.Level, row.Key.Chunk, row.Value);
                }
            }
        }
    }
}
