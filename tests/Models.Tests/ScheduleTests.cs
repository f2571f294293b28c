using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;

namespace Hearth.Tests;

public sealed class ScheduleTests
{
    private static readonly OptimizerSpec Cosine = new() { Lr = 2e-4, WarmupSteps = 10, FinalLrFraction = 0.1 };

    [Theory]
    [InlineData(0, 0.1)]
    [InlineData(8, 0.9)]
    [InlineData(9, 1.0)]
    [InlineData(10, 1.0)]
    [InlineData(60, 0.55)]
    [InlineData(110, 0.1)]
    [InlineData(500, 0.1)]
    public void Cosine_rises_linearly_and_falls_to_the_floor(long step, double factor)
    {
        Assert.Equal(factor, Schedules.Factor(Cosine, step, 110), 1e-12);
        Assert.Equal(2e-4 * factor, Schedules.LearningRate(Cosine, step, 110), 1e-15);
    }

    [Theory]
    [InlineData(4, 0.5)]
    [InlineData(10, 1.0)]
    [InlineData(100, 1.0)]
    public void Constant_stays_at_the_peak_after_the_rise(long step, double factor) =>
        Assert.Equal(factor, Schedules.Factor(Cosine with { Schedule = "constant" }, step, 110), 1e-12);

    [Fact]
    public void Without_warm_up_the_first_step_has_the_peak()
    {
        var spec = Cosine with { WarmupSteps = 0 };

        Assert.Equal(1.0, Schedules.Factor(spec, 0, 100));
        Assert.Equal(0.55, Schedules.Factor(spec, 50, 100), 1e-12);
    }

    [Fact]
    public void A_run_that_is_all_warm_up_ends_at_the_floor()
    {
        Assert.Equal(1.0, Schedules.Factor(Cosine, 9, 10));
        Assert.Equal(0.1, Schedules.Factor(Cosine, 10, 10), 1e-12);
    }
}
