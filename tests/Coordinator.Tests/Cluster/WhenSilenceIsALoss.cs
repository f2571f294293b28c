using Hearth.Coordinator.Cluster;
using Xunit;

namespace Hearth.Tests.Cluster;

public sealed class WhenSilenceIsALoss
{
    private readonly Clock _clock = new();

    [Fact]
    public void Nobody_is_lost_before_the_scheduler_has_looked_for_a_whole_lease()
    {
        var watch = new LossWatch(_clock, TimeSpan.FromSeconds(10));

        Assert.Equal([.. Enumerable.Repeat(false, 10), true, true], Look(watch, seconds: 12));
    }

    [Fact]
    public void After_a_gap_in_which_it_did_not_look_a_lease_starts_over()
    {
        var watch = new LossWatch(_clock, TimeSpan.FromSeconds(10));
        Look(watch, seconds: 20);

        _clock.Go(TimeSpan.FromSeconds(6));

        Assert.False(watch.Look());
        Assert.Equal([.. Enumerable.Repeat(false, 10), true], Look(watch, seconds: 11));
    }

    private List<bool> Look(LossWatch watch, int seconds) => [.. Enumerable.Range(0, seconds).Select(_ =>
    {
        _clock.Go(TimeSpan.FromSeconds(1));
        return watch.Look();
    })];

    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Go(TimeSpan by) => _ticks += by.Ticks;
    }
}
