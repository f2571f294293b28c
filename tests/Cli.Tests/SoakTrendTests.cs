using Hearth.Cli.Bench.Soak;
using Xunit;

namespace Hearth.Tests;

public sealed class SoakTrendTests
{
    [Theory]
    [InlineData(new double[] { 1, 100, 100, 100, 100, 100 }, 0, true)]
    [InlineData(new double[] { 1, 1, 100, 100, 111, 111 }, 0, false)]
    [InlineData(new double[] { 1, 1, 100, 100, 111, 111 }, 11, true)]
    [InlineData(new double[] { 1, 1, 100, 100, 110, 110 }, 0, true)]
    [InlineData(new double[] { 500, 500, 100, 100, 90, 900, 80 }, 0, true)]
    public void What_grows_by_more_than_a_tenth_and_the_slack_is_not_flat(double[] values, double slack, bool flat) =>
        Assert.Equal(flat, SoakTrend.Of(values, slack).Flat);

    [Fact]
    public void A_saw_tooth_is_flat()
    {
        double[] values = [.. Enumerable.Range(0, 100).Select(i => (double)(1000 + (i % 7 * 500)))];

        var trend = SoakTrend.Of(values, 0);

        Assert.True(trend.Flat);
        Assert.InRange(trend.Middle, 1000, 4000);
    }

    [Fact]
    public void Too_few_samples_say_nothing() => Assert.Throws<ArgumentOutOfRangeException>(() => SoakTrend.Of([1, 2], 0));
}
