namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>What to do, in this order, and why each run that was not placed waits.</summary>
public sealed record Plan(IReadOnlyList<Command> Commands, IReadOnlyList<Waiting> Waiting);

/// <summary>What to do, as data; the cycle applies it against the versions it was decided on.</summary>
public abstract record Command;

/// <param name="ForecastBytes">What it is to hold of the device at most, as its trainer will report it.</param>
public sealed record Place(Guid RunId, long Version, Guid WorkerId, int DeviceIndex, int MicroBatch, long ForecastBytes) : Command;

/// <summary>Ask an attempt to checkpoint and go, for a run of higher priority.</summary>
public sealed record Preempt(Guid AttemptId, Guid RunId, long Epoch, Guid ForRun) : Command;

/// <summary>A lease ran out: the attempt is lost and its run goes back to the queue.</summary>
public sealed record Expire(Guid AttemptId, Guid RunId, long Epoch) : Command;

/// <summary>Why a run waits, in one sentence. It stays the same while nothing changes: it names times, and counts no seconds.</summary>
public sealed record Waiting(QueuedRun Run, string Reason)
{
    /// <summary>It was not said before.</summary>
    public bool IsNews => Reason != Run.Reason;
}
