using Hearth.Api;
using Hearth.Cli;
using Hearth.Cli.Bench;
using Hearth.Cli.Demo;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests;

public sealed class FiguresTests
{
    private static readonly DateTimeOffset Killed = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly DemoSummary Good = new()
    {
        Steps = 600, LossAtStart = 7.6, LossAtEnd = 3.1, DetectSeconds = 0.12, ResumeSeconds = 3.4, StepsRepeated = 25,
        Trace = "0123456789abcdef", StraightTrace = "0123456789abcdef", Sample = "The module", Dashboard = new Uri("http://localhost:7770/"),
        TunedLossAtStart = 5.2, TunedLossAtEnd = 4.1, Answers = [new DemoAnswer("What?", "That.", Ended: true), new DemoAnswer("Who?", "They", Ended: false)],
    };

    [Fact]
    public void A_demo_that_held_names_no_miss()
    {
        Assert.True(Good.AllHeld);
        Assert.Contains(("equal", "yes"), Good.Rows());
        Assert.Contains(("loss, start to end", "7.6000 to 3.1000"), Good.Rows());
        Assert.Contains(("tuned, loss on held-out questions", "5.2000 to 4.1000"), Good.Rows());
        Assert.Contains(("answers that end their turn", "1 of 2"), Good.Rows());
    }

    [Fact]
    public void A_tuning_that_taught_nothing_or_a_model_that_does_not_answer_fails_the_demo()
    {
        Assert.StartsWith("The loss on held-out questions did not fall", Assert.Single((Good with { TunedLossAtEnd = 5.2 }).Misses()), StringComparison.Ordinal);
        Assert.Equal("The tuned model did not answer.", Assert.Single((Good with { Answers = [] }).Misses()));
        Assert.Equal("The tuned model did not answer.", Assert.Single((Good with { Answers = [new DemoAnswer("What?", "", Ended: true)] }).Misses()));
    }

    [Theory]
    [InlineData(7.6, "0123456789abcdef", "The module", "The loss did not fall")]
    [InlineData(double.NaN, "0123456789abcdef", "The module", "The loss did not fall")]
    [InlineData(3.1, "fedcba9876543210", "The module", "The resumed run is not the straight one")]
    [InlineData(3.1, "0123456789abcdef", "", "No sample came")]
    public void Whatever_did_not_hold_fails_the_demo_by_name(double lossAtEnd, string straight, string sample, string miss)
    {
        var summary = Good with { LossAtEnd = lossAtEnd, StraightTrace = straight, Sample = sample };

        Assert.False(summary.AllHeld);
        Assert.StartsWith(miss, Assert.Single(summary.Misses()), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_empty_traces_are_not_equal() => Assert.False((Good with { Trace = "", StraightTrace = "" }).TracesEqual);

    [Fact]
    public void A_recovery_is_counted_from_the_kill()
    {
        var lost = Attempt(1, firstStep: 0, lastStep: 325) with { EndedAt = Killed.AddSeconds(0.2) };
        var next = Attempt(2, firstStep: 300, lastStep: 301) with { FirstStepAt = Killed.AddSeconds(3.5) };

        Assert.Equal(new Recovery(0.2, 3.5, 25), Recovery.Of(Killed, lost, next));
    }

    [Theory]
    [InlineData(50, 3)]
    [InlineData(99, 5)]
    [InlineData(100, 5)]
    [InlineData(20, 1)]
    [InlineData(0, 1)]
    public void Percentiles_are_by_nearest_rank(double percent, double value) => Assert.Equal(value, new Sample([5, 3, 1, 2, 4]).Percentile(percent));

    [Theory]
    [InlineData(5, "5 s")]
    [InlineData(-3, "0 s")]
    [InlineData(600, "10 min")]
    [InlineData(7200, "2 h")]
    [InlineData(200_000, "2 d")]
    public void Spans_are_one_number_and_one_unit(double seconds, string text)
    {
        Assert.Equal(text, Text.Span(TimeSpan.FromSeconds(seconds)));
    }

    [Theory]
    [InlineData(512, "512 B")]
    [InlineData(1536, "1.5 KB")]
    [InlineData(12_582_912, "12 MB")]
    [InlineData(25_769_803_776, "24 GB")]
    public void Sizes_have_at_most_one_digit_after_the_point(long bytes, string text) => Assert.Equal(text, Text.Bytes(bytes));

    private static AttemptView Attempt(int number, long firstStep, long lastStep) => new()
    {
        Id = Guid.NewGuid(), Number = number, State = AttemptState.Lost, Epoch = number, Device = "local/0", DeviceModel = "CPU",
        AssignedAt = Killed, FirstStep = firstStep, LastStep = lastStep,
    };
}
