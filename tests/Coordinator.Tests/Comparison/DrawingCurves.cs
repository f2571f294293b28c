using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Comparison;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Comparison;

/// <summary>What is decided of a comparison without a database: axes, bests, differences.</summary>
public sealed class DrawingCurves
{
    [Fact]
    public void Time_and_energy_between_attempts_do_not_count()
    {
        // Trains from 0 s to 10 s and from 100 s to 110 s; 3,600 W in the first attempt and 7,200 W in the second.
        var axis = new RunAxis([new TrainingSpan(0, 10_000), new TrainingSpan(100_000, 110_000)], null, Series("power_watts", [1, 2], [5_000, 100_000], [3600, 7200]));

        Assert.Equal([0d, 5, 10, 10, 15, 20], new long[] { -5, 5_000, 10_000, 90_000, 105_000, 500_000 }.Select(axis.Seconds));
        Assert.Equal([5d, 10, 10, 20, 30], new long[] { 5_000, 10_000, 90_000, 105_000, 500_000 }.Select(t => axis.WattHours(t)!.Value));
        Assert.Null(new RunAxis([], null, null).WattHours(1));
    }

    [Fact]
    public void Tokens_of_a_step_lie_between_those_of_the_steps_that_tell_them()
    {
        var axis = new RunAxis([], Series("tokens", [10, 20], [0, 0], [1000, 2000]), null);

        Assert.Equal([0d, 500, 1000, 1500, 2000, 2500], new long[] { 0, 5, 10, 15, 20, 25 }.Select(s => axis.Tokens(s)!.Value));
        Assert.Empty(new RunAxis([], null, null).Draw(Series("loss", [1], [1], [1]), CompareAxis.Tokens).At);
    }

    [Fact]
    public void The_best_is_the_first_of_the_least_numbers_or_of_the_greatest_where_more_is_better()
    {
        var series = Series("loss", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [float.NaN, 2, 1, 1, 3]);

        Assert.Equal((2, 4), (BestOfRun.Entry(series, false), BestOfRun.Entry(series, true)));
        Assert.Null(BestOfRun.Entry(Series("loss", [1], [1], [float.NaN]), false));
        Assert.Equal((true, false), (BestOfRun.Maximises("tokens_per_second"), BestOfRun.Maximises("validation_loss")));
    }

    [Theory]
    [InlineData(10, 10, "at")]
    [InlineData(14, 10, "before")]
    [InlineData(15, 10, "before")]
    [InlineData(16, 20, "after")]
    public void The_nearest_checkpoint_is_a_kept_one_and_of_two_as_near_the_earlier(long step, long nearest, string where)
    {
        var found = BestOfRun.Nearest(step, [Checkpoint(20, "kept"), Checkpoint(step, "damaged"), Checkpoint(10, "kept")]);

        Assert.Equal((nearest, where), (found!.Step, found.Where));
    }

    [Fact]
    public void Only_fields_that_differ_are_told_and_a_default_is_the_same_whether_it_is_named_or_not()
    {
        var differences = SpecDifferences.Of(
        [
            Spec("""{"name":"a","model":{"family":"qovaryx","size":"nano"},"data":{"dataset":"docs"},"train":{"steps":5}}"""),
            Spec("""{"name":"b","model":{"family":"qovaryx","size":"nano","d_ff":512},"data":{"dataset":"docs","seq_len":256},"train":{"steps":6},"optimizer":{"beta2":0.95}}"""),
        ]);

        Assert.Equal(["model.d_ff", "train.steps"], differences.Select(d => d.Field));
        Assert.Equal(["5", "6"], differences[1].Values.Select(v => v.ToString()));
        Assert.Equal("512", differences[0].Values[1].ToString());
        Assert.NotEqual("", differences[0].Values[0].ToString());
    }

    private static RunSpec Spec(string json) => JsonSerializer.Deserialize<RunSpec>(json, Json.Wire)!;

    private static MetricSeries Series(string key, long[] steps, long[] times, float[] values) => new(key, 1, steps, times, values, values, values);

    private static CheckpointView Checkpoint(long step, string status) => new()
    {
        Id = Guid.NewGuid(), Step = step, CreatedAt = default, Bytes = 1, Trace = "", PauseSeconds = 0, Status = status, Files = [],
    };
}
