using System.Globalization;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>What the rules know of a run and the attempt that ended.</summary>
/// <param name="State">State of the run.</param>
/// <param name="Losses">Losses in a row before this one.</param>
/// <param name="Errors">The run's own failures so far.</param>
/// <param name="MaxRestarts">Own failures that are tried again.</param>
/// <param name="BatchRows">Rows of the global batch.</param>
/// <param name="MicroBatch">Rows of the attempt's micro-batch.</param>
/// <param name="Recomputes">Whether it recomputed blocks.</param>
/// <param name="FirstStep">Where the attempt began.</param>
/// <param name="Resumed">Whether it began from a checkpoint.</param>
/// <param name="KeptStep">Step of the run's newest good checkpoint; null = it has none.</param>
/// <param name="Device">For messages, <c>worker/index</c>.</param>
/// <param name="ForecastBytes">What the attempt was forecast to hold of its device's memory; null = not known.</param>
/// <param name="PauseAtStep">Where the run is to wait; null = nowhere.</param>
public sealed record EndedAttempt(
    RunState State,
    int Losses,
    int Errors,
    int MaxRestarts,
    int BatchRows,
    int MicroBatch,
    bool Recomputes,
    long FirstStep,
    bool Resumed,
    long? KeptStep,
    string Device,
    long? ForecastBytes = null,
    long? PauseAtStep = null)
{
    /// <summary>Where the next attempt begins, the end of a sentence.</summary>
    public string GoesOn => KeptStep is { } step ? $"it goes on from step {Words.Number(step)}" : "it starts again";
}

/// <summary>What becomes of the run.</summary>
/// <param name="Next">Its state; the same when the run was over before.</param>
/// <param name="BackOff">How long it waits before it is placed again.</param>
/// <param name="Smaller">How it goes on after running out of memory, else null.</param>
/// <param name="Reason">Why it failed; null otherwise.</param>
/// <param name="NoteKind">Kind of the note, null for none.</param>
/// <param name="Note">One sentence for the run's story.</param>
public sealed record EndDecision(
    RunState Next,
    int Losses,
    int Errors,
    TimeSpan BackOff,
    SmallerSteps? Smaller,
    string? Reason,
    string? NoteKind,
    string? Note);

/// <summary>
/// The rules of what an attempt's end means for its run. Lost machines and preemption cost nothing, unless attempt after attempt is lost and none
/// leaves a newer checkpoint: such a run may be what its machines die of. The run's own failures are tried again <c>run.max_restarts</c> times. Pure.
/// </summary>
public static class AttemptEnds
{
    /// <summary>Losses in a row, without a newer checkpoint between them, after which a run is failed.</summary>
    public const int MostLosses = 12;

    private static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(10);

    public static EndDecision Decide(EndedAttempt run, AttemptEnd end)
    {
        // Steps that no checkpoint holds are trained again: an attempt that left none is as if it had not been.
        bool progress = run.KeptStep > run.FirstStep;
        var kept = new EndDecision(run.State, progress ? 0 : run.Losses, run.Errors, TimeSpan.Zero, null, null, null, null);
        if (run.State.IsTerminal())
        {
            return kept;
        }

        return end.Outcome switch
        {
            AttemptState.Succeeded => kept with { Next = RunState.Succeeded },
            AttemptState.Stopped => Stopped(run, end, kept),
            AttemptState.Lost => Lost(run, end, kept),
            AttemptState.Failed => Failed(run, end, kept),
            _ => throw new ArgumentException($"{end.Outcome} is no end of an attempt"),
        };
    }

    /// <summary>0 s after the first loss, then 2, 4, 8 … at most ten minutes, until an attempt leaves a newer checkpoint.</summary>
    public static TimeSpan BackOff(int losses) =>
        losses <= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(LongestBackOff.TotalSeconds, Math.Pow(2, Math.Min(losses - 1, 16))));

    private static EndDecision Stopped(EndedAttempt run, AttemptEnd end, EndDecision kept)
    {
        // One that was killed has stopped too, and left no checkpoint where it was: that is not where the run has paused.
        bool lossless = end.Step <= (run.KeptStep ?? 0);
        string at = lossless ? $"at step {Words.Number(end.Step)}." : $"at about step {Words.Number(end.Step)}, without a checkpoint there; {run.GoesOn}.";
        return run.State switch
        {
            not RunState.Pausing when lossless && end.Step >= run.PauseAtStep => kept with { Next = RunState.Paused, NoteKind = "paused", Note = $"Waits {at}" },
            RunState.Pausing when lossless => kept with { Next = RunState.Paused, NoteKind = "paused", Note = $"Paused {at}" },
            RunState.Pausing => kept with { Next = RunState.Paused, NoteKind = "paused", Note = $"Paused. Its attempt ended {at}" },
            RunState.Preempting => kept with { Next = RunState.Queued, NoteKind = "preempted", Note = $"Gave {run.Device} away {at}" },
            _ => kept with { Next = RunState.Queued, NoteKind = "moved", Note = $"{run.Device} stopped it {at}" },
        };
    }

    private static EndDecision Lost(EndedAttempt run, AttemptEnd end, EndDecision kept)
    {
        int losses = kept.Losses + 1;
        string why = Sentence(end.Message ?? $"{run.Device} was lost");
        if (losses >= MostLosses && run.State != RunState.Pausing)
        {
            string reason = $"{MostLosses} attempts in a row were lost without a checkpoint after step {Words.Number(run.FirstStep)}. The last, on {run.Device}: {why}";
            return kept with { Next = RunState.Failed, Losses = losses, Reason = reason, NoteKind = "failed", Note = reason };
        }

        return kept with
        {
            Next = Requeued(run),
            Losses = losses,
            BackOff = BackOff(losses),
            NoteKind = "lost",
            Note = $"{why} It was at about step {Words.Number(end.Step)}; {run.GoesOn}.",
        };
    }

    private static EndDecision Failed(EndedAttempt run, AttemptEnd end, EndDecision kept)
    {
        string message = end.Message ?? end.FailureCode ?? "It failed without a word.";
        switch (end.FailureCode)
        {
            case FailureCodes.BadInput:
                return Ended(run, kept, message);
            case FailureCodes.OutOfMemory or FailureCodes.HostOutOfMemory when SmallerSteps.After(run.BatchRows, run.MicroBatch, run.Recomputes) is { } smaller:
                return kept with
                {
                    Next = Requeued(run),
                    Smaller = smaller,
                    NoteKind = "out_of_memory",
                    Note = $"{run.Device} ran out of memory at {Rows(run.MicroBatch)}; {smaller}",
                };
            case FailureCodes.OutOfMemory:
                return Ended(run, kept, message);
            case FailureCodes.HostOutOfMemory:
                // A trainer that fails by itself says what would fit; one that was killed could not.
                return Ended(run, kept, $"{Sentence(message)} {run.Device} had one row at a time (train.micro_batch: 1) with train.recompute: block, the least that there is{Least(run)}. A smaller model.size or data.seq_len, or a device with more memory, would fit.");
            case FailureCodes.CorruptCheckpoint when run.Resumed:
                return kept with
                {
                    Next = Requeued(run),
                    NoteKind = "unreadable",
                    Note = $"{Sentence(message)} It could not begin at step {Words.Number(run.FirstStep)}; the coordinator reads that checkpoint itself before the run goes on.",
                };
        }

        int errors = run.Errors + 1;
        return errors > run.MaxRestarts
            ? kept with { Next = RunState.Failed, Errors = errors, Reason = message, NoteKind = "failed", Note = message }
            : kept with { Next = Requeued(run), Errors = errors, BackOff = BackOff(errors), NoteKind = "retry", Note = $"{message} Tried again ({errors} of {run.MaxRestarts})." };
    }

    private static EndDecision Ended(EndedAttempt run, EndDecision kept, string reason) =>
        kept with { Next = RunState.Failed, Errors = run.Errors + 1, Reason = reason, NoteKind = "failed", Note = reason };

    private static string Least(EndedAttempt run) =>
        run.ForecastBytes is { } bytes ? string.Create(CultureInfo.InvariantCulture, $": {bytes / (double)(1L << 30):0.0} GB by forecast") : "";

    private static string Sentence(string text) => text.TrimEnd() is var trimmed && trimmed.EndsWith('.') ? trimmed : $"{trimmed}.";

    private static string Rows(int count) => count == 1 ? "one row" : $"{count} rows";

    // Who paused a run wants it paused, however its attempt ended.
    private static RunState Requeued(EndedAttempt run) => run.State == RunState.Pausing ? RunState.Paused : RunState.Queued;
}
