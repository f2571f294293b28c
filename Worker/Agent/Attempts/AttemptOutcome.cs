using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>All that is known when a trainer has ended.</summary>
public sealed record ExitFacts
{
    /// <summary>128 + N when signal N ended it.</summary>
    public required int ExitCode { get; init; }

    /// <summary>The last of <c>done</c>, <c>stopped</c> and <c>failed</c>, if any.</summary>
    public LastEvent? LastWord { get; init; }

    /// <summary>The coordinator asked for the end at once.</summary>
    public bool Killed { get; init; }

    /// <summary>It did not stop in time and was killed.</summary>
    public bool GraceOver { get; init; }

    /// <summary>While it ran, the host's kernel killed processes since memory had run out.</summary>
    public bool HostWasFull { get; init; }

    /// <summary>It trained in the host's memory.</summary>
    public bool OnCpu { get; init; }
    public long Step { get; init; }
    public string? Trace { get; init; }

    /// <summary>Why the coordinator lacks the newest checkpoint; null when it has it, or none was written.</summary>
    public string? Unstored { get; init; }

    /// <summary>The last lines of standard error.</summary>
    public string ErrorTail { get; init; } = "";
}

/// <summary>What a trainer's end means for its attempt. Pure.</summary>
public static class AttemptOutcome
{
    private const int BadInput = 2;
    private const int Stopped = 10;
    private const int OutOfMemory = 20;

    private const int SigKill = 9;

    /// <summary>Signals that a process brings upon itself: illegal instruction, abort, bus error, arithmetic, segmentation fault.</summary>
    private static readonly int[] OwnFaults = [4, 6, 7, 8, 11];

    public static AttemptEnd Of(Lease lease, ExitFacts facts) => Judge(lease, facts) with { PeakMemoryBytes = facts.LastWord?.PeakMemoryBytes };

    private static AttemptEnd Judge(Lease lease, ExitFacts facts)
    {
        AttemptEnd End(AttemptState outcome, string? code, string? message) => new(lease, outcome, facts.Step, facts.Trace, code, message);
        if (facts.Killed)
        {
            return End(AttemptState.Stopped, null, "ended at once on request, without a checkpoint");
        }

        switch (facts.LastWord)
        {
            case DoneEvent or StoppedEvent when facts.Unstored is { } failure:
                // The steps since the checkpoint before are to be trained again: the run is neither done nor stopped with its work kept.
                return End(AttemptState.Lost, null, $"its last checkpoint could not be stored: {failure}");
            case DoneEvent done:
                return new AttemptEnd(lease, AttemptState.Succeeded, done.Step, done.Trace, null, null);
            case StoppedEvent stopped:
                return new AttemptEnd(lease, AttemptState.Stopped, stopped.Step, stopped.Trace, null, null);
            case FailedEvent { Code: FailureCodes.DiskFull } full:
                return End(AttemptState.Lost, null, $"this worker's disk is full: {full.Message}") with { Step = Math.Max(facts.Step, full.Step) };
            case FailedEvent failed:
                return End(AttemptState.Failed, failed.Code, failed.Message) with { Step = Math.Max(facts.Step, failed.Step) };
        }

        if (facts.GraceOver)
        {
            return End(AttemptState.Lost, null, "The trainer did not stop in time and was killed.");
        }

        var signal = facts.ExitCode > 128 && !OperatingSystem.IsWindows() ? facts.ExitCode - 128 : 0;
        return signal switch
        {
            > 0 when OwnFaults.Contains(signal) => End(AttemptState.Failed, FailureCodes.Crashed, WithTail($"the trainer crashed (signal {signal})", facts)),
            SigKill when facts.HostWasFull && facts.OnCpu => End(AttemptState.Failed, FailureCodes.HostOutOfMemory, $"The host ran out of memory, and its kernel killed the trainer (signal {SigKill})."),

            // What a card's trainer holds of the host does not follow from its rows: fewer of them would not help.
            SigKill when facts.HostWasFull => End(AttemptState.Lost, null, $"The host of the card ran out of memory, and its kernel killed the trainer (signal {SigKill})."),
            > 0 => End(AttemptState.Lost, null, $"The trainer was killed (signal {signal})."),
            _ => OfExitCode(facts, End),
        };
    }

    private static AttemptEnd OfExitCode(ExitFacts facts, Func<AttemptState, string?, string?, AttemptEnd> end) => facts.ExitCode switch
    {
        OutOfMemory => end(AttemptState.Failed, FailureCodes.OutOfMemory, WithTail("the device ran out of memory", facts)),
        BadInput => end(AttemptState.Failed, FailureCodes.BadInput, WithTail("the trainer refused its input", facts)),
        Stopped => end(AttemptState.Stopped, null, "the trainer stopped without saying at which step"),
        var code => end(AttemptState.Failed, FailureCodes.Crashed, WithTail($"the trainer ended with exit code {code} and no last word", facts)),
    };

    private static string WithTail(string message, ExitFacts facts) => facts.ErrorTail.Length == 0 ? message : $"{message}: {facts.ErrorTail}";
}
