using Hearth.Hardware;
using Hearth.Protocol;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class MetricPointsTests
{
    private static readonly Lease Lease = new(Guid.NewGuid(), 1);

    [Fact]
    public void A_step_gives_the_keys_that_the_dashboard_draws()
    {
        var points = MetricPoints.Of(new StepEvent(3, 2.5, 1e-3, 0.7, 900, 0.25, 384, 4096, "aa")).ToDictionary(p => p.Key, p => (p.Step, p.Value));

        Assert.Equal(
            new Dictionary<string, (long, float)>
            {
                ["loss"] = (3, 2.5f), ["lr"] = (3, 1e-3f), ["grad_norm"] = (3, 0.7f), ["tokens_per_second"] = (3, 900),
                ["step_seconds"] = (3, 0.25f), ["tokens"] = (3, 384), ["memory_bytes"] = (3, 4096),
            },
            points);
        Assert.Equal(("skipped_steps", 4L, 2f), MetricPoints.Of(new SkippedEvent(4, 2, "", "aa")).Select(p => (p.Key, p.Step, p.Value)).Single());
        Assert.Equal("validation_loss", Assert.Single(MetricPoints.Of(new EvalEvent(3, 2, 1))).Key);
        var depths = MetricPoints.Of(new EvalEvent(3, 2, 1) { Terms = new Dictionary<string, double> { ["ce.2"] = 2.5, ["p.2"] = 0.25 } });
        Assert.Equal([("validation_loss", 2f), ("validation_ce.2", 2.5f), ("validation_p.2", 0.25f)], depths.Select(p => (p.Key, p.Value)));
        Assert.Equal(("checkpoint_pause_seconds", 0.5f), (MetricPoints.Of(new CheckpointEvent(3, "", "", 0.5, 1)).Single().Key, MetricPoints.Of(new CheckpointEvent(3, "", "", 0.5, 1)).Single().Value));
    }

    [Fact]
    public void What_a_probe_cannot_read_is_no_point()
    {
        Assert.Empty(MetricPoints.Of(new DeviceReading(0), 5, withMemory: true, 0));
        var all = new DeviceReading(0, 10, 20, 30, 40, 50);
        Assert.Equal(["memory_bytes", "utilization_percent", "power_watts", "temperature_celsius"], MetricPoints.Of(all, 5, withMemory: true, 0).Select(p => p.Key));
        Assert.DoesNotContain(MetricPoints.Of(all, 5, withMemory: false, 0), p => p.Key == "memory_bytes");
    }

    [Fact]
    public void Points_become_columns_by_key_and_a_step_that_goes_back_begins_a_new_chunk()
    {
        MetricItem Loss(long step) => new("loss", step, step, step * 10);

        var request = MetricPoints.Request(Lease, 7, [Loss(1), new("lr", 1, 9, 10), Loss(2), Loss(2), Loss(1), new("", 2, 0, 0, new SampleRecord(2, "a", "b"))]);

        Assert.Equal((Lease, 7), (request.Lease, request.Sequence));
        Assert.Equal(["loss 1 2", "loss 2", "loss 1", "lr 1"], request.Chunks.Select(c => $"{c.Key} {string.Join(' ', c.Steps)}"));
        Assert.All(request.Chunks, c => Assert.Equal((c.Steps.Count, c.Steps.Count), (c.Values.Count, c.UnixMilliseconds.Count)));
        Assert.Equal("b", Assert.Single(request.Samples).Text);
    }
}
