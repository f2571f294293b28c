using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>What a trainer's end means, as a table.</summary>
public sealed class AttemptOutcomeTests
{
    private static readonly Lease Lease = new(Guid.NewGuid(), 4);

    public static TheoryData<string, ExitFacts, AttemptState, string?, string?> Ends => new()
    {
        { "done", Facts(0, new DoneEvent(50, "aa", 1, 1)), AttemptState.Succeeded, null, null },
        { "done, but its checkpoint is not stored", Facts(0, new DoneEvent(50, "aa", 1, 1)) with { Unstored = "the store is full" }, AttemptState.Lost, null, "the store is full" },
        { "stopped", Facts(10, new StoppedEvent(50, "aa")), AttemptState.Stopped, null, null },
        { "stopped, but its checkpoint is not stored", Facts(10, new StoppedEvent(50, "aa")) with { Unstored = "cut off" }, AttemptState.Lost, null, "cut off" },
        { "failed", Facts(1, new FailedEvent(FailureCodes.NotFinite, "step 9 is not finite", 8)), AttemptState.Failed, FailureCodes.NotFinite, "step 9 is not finite" },
        { "failed counts although a checkpoint is not stored", Facts(1, new FailedEvent(FailureCodes.NotFinite, "nan", 8)) with { Unstored = "x" }, AttemptState.Failed, FailureCodes.NotFinite, "nan" },
        { "no room on its disk", Facts(1, new FailedEvent(FailureCodes.DiskFull, "No space left on device", 7)), AttemptState.Lost, null, "this worker's disk is full" },
        { "killed on request", Facts(137) with { Killed = true }, AttemptState.Stopped, null, "ended at once on request" },
        { "killed on request after a word", Facts(137, new StoppedEvent(50, "aa")) with { Killed = true }, AttemptState.Stopped, null, "without a checkpoint" },
        { "killed since it did not stop", Facts(137) with { GraceOver = true }, AttemptState.Lost, null, "did not stop in time" },
        { "SIGKILL from outside", Facts(137), AttemptState.Lost, null, "signal 9" },
        { "SIGKILL by the kernel of a full host", Facts(137) with { HostWasFull = true, OnCpu = true }, AttemptState.Failed, FailureCodes.HostOutOfMemory, "The host ran out of memory" },
        { "SIGKILL by the kernel of a full host, on a card", Facts(137) with { HostWasFull = true }, AttemptState.Lost, null, "host of the card ran out of memory" },
        { "killed since it did not stop, on a full host", Facts(137) with { GraceOver = true, HostWasFull = true, OnCpu = true }, AttemptState.Lost, null, "did not stop in time" },
        { "killed on request, on a full host", Facts(137) with { Killed = true, HostWasFull = true, OnCpu = true }, AttemptState.Stopped, null, "ended at once on request" },
        { "done, on a full host", Facts(0, new DoneEvent(50, "aa", 1, 1)) with { HostWasFull = true, OnCpu = true }, AttemptState.Succeeded, null, null },
        { "segmentation fault on a full host", Facts(139) with { HostWasFull = true, OnCpu = true }, AttemptState.Failed, FailureCodes.Crashed, "signal 11" },
        { "SIGTERM from outside", Facts(143), AttemptState.Lost, null, "signal 15" },
        { "segmentation fault", Facts(139) with { ErrorTail = "at foo" }, AttemptState.Failed, FailureCodes.Crashed, "signal 11): at foo" },
        { "abort", Facts(134), AttemptState.Failed, FailureCodes.Crashed, "signal 6" },
        { "out of memory without a word", Facts(20), AttemptState.Failed, FailureCodes.OutOfMemory, "out of memory" },
        { "bad input without a word", Facts(2) with { ErrorTail = "no such file" }, AttemptState.Failed, FailureCodes.BadInput, "no such file" },
        { "exit code 10 without a word", Facts(10), AttemptState.Stopped, null, "without saying" },
        { "exit code 0 without a word", Facts(0), AttemptState.Failed, FailureCodes.Crashed, "exit code 0 and no last word" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void An_end_is_judged_by_last_word_signal_and_exit_code(string why, ExitFacts facts, AttemptState outcome, string? code, string? message)
    {
        var end = AttemptOutcome.Of(Lease, facts);

        Assert.True((outcome, code) == (end.Outcome, end.FailureCode), $"{why}: {end}");
        Assert.Equal(Lease, end.Lease);
        Assert.Equal(message is null, end.Message is null);
        Assert.Contains(message ?? "", end.Message ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void The_step_is_the_last_that_is_known()
    {
        Assert.Equal((50, "aa"), (AttemptOutcome.Of(Lease, Facts(0, new DoneEvent(50, "aa", 1, 1))).Step, AttemptOutcome.Of(Lease, Facts(0, new DoneEvent(50, "aa", 1, 1))).Trace));
        Assert.Equal(7, AttemptOutcome.Of(Lease, Facts(137)).Step);
        Assert.Equal(9, AttemptOutcome.Of(Lease, Facts(1, new FailedEvent("x", "y", 9))).Step);
    }

    [Fact]
    public void Whatever_the_last_word_its_peak_is_passed_on()
    {
        LastEvent[] words = [new DoneEvent(50, "aa", 1, 1), new StoppedEvent(50, "aa"), new FailedEvent("x", "y", 9)];

        Assert.All(words, word => Assert.Equal(5, AttemptOutcome.Of(Lease, Facts(0, word with { PeakMemoryBytes = 5 })).PeakMemoryBytes));
        Assert.Null(AttemptOutcome.Of(Lease, Facts(137)).PeakMemoryBytes);
    }

    private static ExitFacts Facts(int exit, LastEvent? word = null) => new() { ExitCode = exit, LastWord = word, Step = 7, Trace = "07" };
}
