using FsCheck;
using FsCheck.Fluent;
using Hearth.Coordinator.Metrics.Storage;
using Xunit;

namespace Hearth.Tests.Metrics;

public sealed class BucketingTests
{
    [Theory]
    [InlineData(0, 99, 100, 1)]
    [InlineData(0, 100, 100, 2)]
    [InlineData(1, 1_000_000, 2000, 512)]
    [InlineData(1, 1_000_000, 300, 4096)]
    [InlineData(63, 64, 1, 128)]
    [InlineData(5, 5, 1, 1)]
    public void Buckets_are_the_finest_power_of_two_that_suffices(long from, long to, int most, long size) => Assert.Equal(size, Bucketing.Choose(from, to, most));

    [Theory]
    [InlineData(1, 4, 0)]
    [InlineData(64, 4, 0)]
    [InlineData(128, 4, 1)]
    [InlineData(1024, 4, 1)]
    [InlineData(2048, 4, 2)]
    [InlineData(2048, 1, 1)]
    [InlineData(1 << 20, 4, 4)]
    public void Buckets_are_folded_from_the_coarsest_level_that_divides_them(long size, int deepest, int level) => Assert.Equal(level, ChunkGrid.LevelFor(size, deepest));

    [Theory]
    [InlineData(0, 8191, 0)]
    [InlineData(8191, 8192, 1)]
    [InlineData(0, 131_071, 1)]
    [InlineData(0, 131_072, 2)]
    [InlineData(0, 100_000_000, 4)]
    public void A_series_has_as_many_levels_as_it_takes_for_one_chunk_at_the_top(long first, long last, int depth) =>
        Assert.Equal(depth, ChunkGrid.Depth(new StepRange(first, last)));

    [Fact]
    public void A_later_point_of_a_step_counts_and_the_order_is_by_step()
    {
        Point[] arrived = [new(1, 10, 1), new(2, 20, 2), new(5, 50, 5), new(2, 21, 2.5f), new(3, 31, 3.5f)];

        Assert.Equal([new(1, 10, 1), new(2, 21, 2.5f), new(3, 31, 3.5f), new(5, 50, 5)], Bucketing.Merge(arrived));
    }

    [Fact]
    public void A_later_attempts_point_counts_whenever_the_earlier_ones_comes() =>
        Assert.Equal([new(1, 5, 2, 2)], Bucketing.Merge([new(1, 5, 2, 2), new(1, 9, 1, 1)]));

    [Fact]
    public void A_value_that_is_no_number_shows_in_the_mean_and_spares_least_and_greatest()
    {
        var mixed = Assert.Single(Bucketing.Of([new(0, 0, float.NaN), new(1, 1, 3), new(2, 2, 1)], 4));
        var none = Assert.Single(Bucketing.Of([new(0, 0, float.NaN)], 4));

        Assert.Equal((float.NaN, 1f, 3f), (mixed.Mean, mixed.Low, mixed.High));
        Assert.Equal((float.NaN, float.NaN, float.NaN), (none.Mean, none.Low, none.High));
    }

    [Fact]
    public void Merging_is_what_a_table_by_step_would_hold() => Prop.ForAll<NonNegativeInt[]>(steps =>
    {
        var arrived = steps.Select((s, i) => new Point(s.Get % 50, i, i)).ToList();
        var table = new SortedDictionary<long, Point>();
        arrived.ForEach(p => table[p.Step] = p);

        Assert.Equal(table.Values, Bucketing.Merge(arrived));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Folding_through_levels_equals_folding_the_points() => Prop.ForAll<NonNegativeInt[], short[]>((gaps, values) =>
    {
        int count = Math.Min(gaps.Length, values.Length);
        long step = 0;
        var points = Enumerable.Range(0, count).Select(i => new Point(step += 1 + (gaps[i].Get % 300), i, values[i])).ToList();

        var direct = Bucketing.Of(points, 1024);
        var through = Bucketing.Fold(Bucketing.Fold(Bucketing.Of(points, 64), 256), 1024);

        Assert.Equal(direct, through);
        Assert.Equal(count, direct.Sum(b => b.Points));
        Assert.All(direct, b => Assert.True(b.FirstStep / 1024 == b.Index && b.Low <= b.Mean && b.Mean <= b.High));
    }).QuickCheckThrowOnFailure();
}
