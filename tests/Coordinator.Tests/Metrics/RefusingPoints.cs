using Hearth.Coordinator.Metrics;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Tests.Metrics;

public sealed class RefusingPoints
{
    private const long Day = 86_400_000, Began = 1_000 * Day, Now = 1_001 * Day;

    [Theory]
    [InlineData(99, Now, false)]
    [InlineData(100, Now, true)]
    [InlineData(500, Now, true)]
    [InlineData(501, Now, false)]
    [InlineData(-1, Now, false)]
    [InlineData(long.MaxValue, Now, false)]
    [InlineData(100, Began - Day - 1, false)]
    [InlineData(100, Began - Day, true)]
    [InlineData(100, Now + Day, true)]
    [InlineData(100, Now + Day + 1, false)]
    [InlineData(100, long.MaxValue, false)]
    [InlineData(100, long.MinValue, false)]
    public void A_point_is_of_the_attempts_steps_and_of_its_time_give_or_take_a_day(long step, long time, bool kept)
    {
        var batch = Check([new MetricChunk("loss", [step], [1], [time])]);

        Assert.Equal((kept ? 1 : 0, kept ? 0 : 1), (batch.Chunks.Count, batch.Refused));
        Assert.Equal(kept ? 0 : 1, batch.Reasons.Count);
    }

    [Fact]
    public void Whatever_is_refused_the_rest_stays_in_its_order_and_few_reasons_are_told()
    {
        long[] steps = [.. Enumerable.Range(90, 20).Select(s => (long)s)];

        var batch = Check([new MetricChunk("loss", steps, [.. steps.Select(s => (float)s)], [.. steps.Select(_ => Now)])]);

        var chunk = Assert.Single(batch.Chunks);
        Assert.Equal(steps[10..], chunk.Steps);
        Assert.Equal(steps[10..].Select(s => (float)s), chunk.Values);
        Assert.Equal((10, 5), (batch.Refused, batch.Reasons.Count));
    }

    private static CheckedBatch Check(MetricChunk[] chunks) =>
        PointRules.Check(new MetricsRequest(new Lease(Guid.Empty, 1), 1, chunks, []), new AttemptBounds(100, 500, Began, Now));
}
