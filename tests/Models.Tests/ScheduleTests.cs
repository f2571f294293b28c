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
    public void Cosine_rises_linearly_and_falls_to_the_floor(long step, double factor) =>
        Assert.Equal(factor, Schedules.Factor(Cosine, step, 110), 1e-12);

    [Theory]
    [InlineData(4, 0.5)]
    [InlineData(10, 1.0)]
    [InlineData(100, 1.0)]
    public void Constant_stays_at_the_peak_after_the_rise(long step, double factor) =>
        Assert.Equal(factor, Schedules.Factor(Cosine with { Schedule = "constant" }, step, 110), 1e-12);

    [Theory]
    [InlineData(10, 1.0)]
    [InlineData(80, 1.0)]
    [InlineData(90, 0.6)]
    [InlineData(100, 0.2)]
    [InlineData(101, 0.2)]
    public void Optimizers_check_6_wsd_is_flat_and_then_falls_linearly_to_the_floor(long step, double factor) =>
        Assert.Equal(factor, Schedules.Factor(Cosine with { Schedule = "wsd", DecayFraction = 0.2, FinalLrFraction = 0.2 }, step, 100), 1e-12);

    [Theory]
    [InlineData(0, 0, 100, 1.0)]
    [InlineData(0, 75, 100, 1.0)]
    [InlineData(0, 90, 100, 0.4)]
    [InlineData(0, 99, 100, 0.04)]
    [InlineData(0, 16_500, 20_000, 1.0)]
    [InlineData(0, 18_250, 20_000, 0.5)]
    [InlineData(40, 80, 100, 0.5)]
    public void Optimizers_check_6_warmdown_is_what_remains_over_its_length(int length, long step, long steps, double factor) =>
        Assert.Equal(factor, Schedules.Factor(Cosine with { WarmupSteps = 0, Schedule = "warmdown", WarmdownSteps = length }, step, steps), 1e-12);

    [Theory]
    [InlineData(0, 0.92)]
    [InlineData(750, 0.955)]
    [InlineData(1500, 0.99)]
    [InlineData(9000, 0.99)]
    public void Momentum_rises_linearly_where_it_has_a_start(long step, double momentum)
    {
        var spec = new OptimizerSpec { MuonMomentumStart = 0.92, MuonMomentum = 0.99 };

        Assert.Equal(momentum, Schedules.Momentum(spec, step), 1e-12);
        Assert.Equal(0.99, Schedules.Momentum(spec with { MuonMomentumStart = 0 }, step));
    }

    [Theory]
    [InlineData("wsd", 3)]
    [InlineData("cosine", 7)]
    [InlineData("warmdown", 10)]
    [InlineData("constant", 1)]
    public void Snapshots_are_evenly_spaced_over_the_decay_phase_and_the_last_is_the_runs_end(string schedule, int snapshots)
    {
        var spec = new OptimizerSpec { Schedule = schedule, SwaSnapshots = snapshots, DecayFraction = 0.3, WarmdownSteps = 30 };

        // An average of step numbers shows which were taken: each update sees its own number as the weight.
        double average = -1;
        var after = new List<double>();
        for (long step = 0; step < 100; step++)
        {
            double d = Schedules.AverageDecay(spec, step, 100);
            average = (d * average) + ((1 - d) * (step + 1));
            after.Add(average);
        }

        double[] taken = [.. Enumerable.Range(1, snapshots).Select(j => 70 + Math.Ceiling(30.0 * j / snapshots))];
        Assert.Equal(taken.Average(), after[99], 1e-9);
        Assert.Equal(100, taken[^1]);
        Assert.Equal(Enumerable.Range(1, (int)taken[0]).Select(n => (double)n), after.Take((int)taken[0]));
    }

    [Fact]
    public void Hybrid_check_9_quantised_training_starts_once_at_the_first_factor_below_the_threshold()
    {
        var spec = Cosine with { Schedule = "warmdown", WarmupSteps = 10 };
        long[] steps = [.. Enumerable.Range(0, 1000).Select(s => (long)s).Where(s => Schedules.StartsQuantizing(spec, s, 1000))];

        // 250 steps of fall: the factor at 963 is 37/250 = 0.148, at 962 it is 0.152; the first warm-up steps do not count.
        Assert.Equal(Enumerable.Range(963, 37).Select(s => (long)s), steps);
    }

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
