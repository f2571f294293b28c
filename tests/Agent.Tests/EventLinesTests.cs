using Hearth.Protocol;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class EventLinesTests
{
    [Fact]
    public void One_step_in_ten_is_a_line()
    {
        var lines = Enumerable.Range(1, 30).Select(step => EventLines.Of(new StepEvent(step, 2.5, 5.12e-4, 0.7, 38_190, 0.25, 384, 3L << 29, "aa"))).OfType<string>();

        Assert.Equal(["step 10", "step 20", "step 30"], lines.Select(line => line.Split("  ")[0]));
        Assert.Equal("step 10  loss 2.5000  lr 5.120e-4  gnorm 0.70  38,190 tok/s  1.50 GB", lines.First());
    }

    [Fact]
    public void A_resume_names_its_step_and_trace() =>
        Assert.Equal(
            "resumes at step 4,200, trace 9c41e07a55d203bf: 158,592 parameters on cpu, micro-batch 8 × 2, to step 20,000",
            EventLines.Of(new StartedEvent(4200, 20_000, 158_592, "9c41e07a55d203bf", "cpu", 8, 2)));

    [Fact]
    public void A_run_that_is_not_exact_says_so_where_it_starts() =>
        Assert.EndsWith(", to step 9, not exact", EventLines.Of(new StartedEvent(0, 9, 10, "00", "cuda:0", 1, 1) { Exact = false }), StringComparison.Ordinal);

    [Fact]
    public void Evaluations_checkpoints_and_ends_are_lines_and_samples_are_not()
    {
        Assert.Equal("step 50  validation loss 3.6640 nats/token in 6.2 s", EventLines.Of(new EvalEvent(50, 3.664, 6.2)));
        Assert.Equal(
            "step 50  validation loss 3.6640 nats/token in 6.2 s  ce.1 3.7000  p.1 0.2500",
            EventLines.Of(new EvalEvent(50, 3.664, 6.2) { Terms = new Dictionary<string, double> { ["ce.1"] = 3.7, ["p.1"] = 0.25 } }));
        Assert.Equal("step 50  checkpoint written in 2.80 s behind training, paused 20 ms, trace aa", EventLines.Of(new CheckpointEvent(50, "", "aa", 0.02, 2.8)));
        Assert.Equal("stopped at step 50, trace aa", EventLines.Of(new StoppedEvent(50, "aa")));
        Assert.Equal(
            "done at step 50, trace aa; took 27:46:40, at most 1.50 GB, 2 steps skipped",
            EventLines.Of(new DoneEvent(50, "aa", 1, 1) { Seconds = 100_000, PeakMemoryBytes = 3L << 29, Skipped = 2 }));
        Assert.Null(EventLines.Of(new SampleEvent(50, "a", "b")));
    }
}
