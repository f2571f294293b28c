using System.Collections.Immutable;
using System.Globalization;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>What a trainer did, as lines of the run's log. Pure.</summary>
public static class EventLines
{
    /// <summary>Every step is a point of the charts; of the lines, one in this many is enough to read along.</summary>
    private const int StepsPerLine = 10;

    /// <returns>The line, or null for an event that needs none or has its own words.</returns>
    public static string? Of(TrainerEvent happened) => happened switch
    {
        StartedEvent e => Started(e),
        StepEvent e when e.Step % StepsPerLine == 0 => Step(e),
        EvalEvent e => Say($"step {Words.Number(e.Step)}  validation loss {e.Loss:0.0000} nats/token in {e.Seconds:0.0} s{Terms(e)}"),
        CheckpointEvent e => Say($"step {Words.Number(e.Step)}  checkpoint written in {e.WriteSeconds:0.00} s behind training, paused {e.PauseSeconds * 1000:0} ms, trace {e.Trace}"),
        StoppedEvent e => Say($"stopped at step {Words.Number(e.Step)}, trace {e.Trace}"),
        DoneEvent e => Say($"done at step {Words.Number(e.Step)}, trace {e.Trace}; {DoneWords.Of(e)}"),
        _ => null,
    };

    private static string Started(StartedEvent e)
    {
        string start = e.Step == 0 ? "starts" : Say($"resumes at step {Words.Number(e.Step)}, trace {e.Trace}");
        return Say($"{start}: {Words.Number(e.Parameters)} parameters on {e.Device}, micro-batch {e.MicroBatch} × {e.Accumulation}, to step {Words.Number(e.TotalSteps)}{(e.Exact ? "" : ", not exact")}");
    }

    private static string Step(StepEvent e)
    {
        string memory = e.MemoryBytes is { } bytes ? Say($"  {bytes / (double)(1 << 30):0.00} GB") : "";
        return Say($"step {Words.Number(e.Step)}  loss {e.Loss:0.0000}  lr {e.Lr:0.000e-0}  gnorm {e.GradNorm:0.00}  {e.TokensPerSecond:#,##0} tok/s{memory}");
    }

    private static string Terms(EvalEvent e) => string.Concat((e.Terms ?? ImmutableDictionary<string, double>.Empty).Select(term => Say($"  {term.Key} {term.Value:0.0000}")));

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
