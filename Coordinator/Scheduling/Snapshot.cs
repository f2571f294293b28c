using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling;

/// <summary>The world as one transaction read it. Everything that a decision depends on is in here.</summary>
/// <param name="Runs">Runs that are queued or live.</param>
/// <param name="Devices">Every device of every worker that is not removed.</param>
/// <param name="Attempts">Attempts that are not over.</param>
/// <param name="LossesKnown">False during one lease period after leadership began: nothing is declared dead before.</param>
/// <param name="StoreOutage">Why the object store cannot be used, in a sentence; null while it can.</param>
public sealed record Snapshot(
    IReadOnlyList<QueuedRun> Runs,
    IReadOnlyList<PoolDevice> Devices,
    IReadOnlyList<LiveAttempt> Attempts,
    bool LossesKnown,
    string? StoreOutage = null);

/// <param name="NotBefore">Back-off after losses; null = at once.</param>
/// <param name="Needs">Forecast per kind of device: least bytes at one row of a micro-batch, and rows by bytes.</param>
/// <param name="Hold">Why it may not be placed whatever is free, in a sentence; null when it may.</param>
public sealed record QueuedRun(
    Guid Id,
    string Name,
    RunState State,
    long Version,
    RunPriority Priority,
    DateTimeOffset QueuedAt,
    DateTimeOffset? NotBefore,
    string Devices,
    RunNeeds Needs,
    string? Hold = null);

/// <summary>What a run takes on a device: fits, with which micro-batch, and how many bytes.</summary>
public abstract record RunNeeds
{
    public abstract (bool Fits, int MicroBatch, long Bytes, string Reason) On(long deviceBytes, DeviceKind kind);

    /// <summary>A sentence on what would make the run fit a device that it does not; empty when nothing simple would.</summary>
    public virtual string Remedy(long deviceBytes, DeviceKind kind) => "";
}

/// <summary>A device as the scheduler sees it; its name is <c>worker/index</c>.</summary>
public sealed record PoolDevice(Guid WorkerId, string WorkerName, int Index, DeviceKind Kind, string Model, long MemoryBytes, bool Online, bool Draining)
{
    public string Name => $"{WorkerName}/{Index}";
}

/// <param name="Stopping">Already told to stop.</param>
/// <param name="StepsAtRisk">Steps since the last checkpoint: what killing it now would repeat.</param>
public sealed record LiveAttempt(
    Guid Id,
    Guid RunId,
    long Epoch,
    Guid WorkerId,
    int DeviceIndex,
    RunPriority Priority,
    bool Stopping,
    long StepsAtRisk,
    DateTimeOffset LeaseEndsAt);

/// <summary>What to do, as data; the loop applies it against the versions it was decided on.</summary>
public abstract record Command;

public sealed record Place(Guid RunId, long Version, Guid WorkerId, int DeviceIndex, int MicroBatch) : Command;

/// <summary>Ask an attempt to checkpoint and go, for a run of higher priority.</summary>
public sealed record Preempt(Guid AttemptId, Guid RunId, long Epoch, Guid ForRun) : Command;

/// <summary>A lease ran out: the attempt is lost and its run goes back to the queue.</summary>
public sealed record Expire(Guid AttemptId, Guid RunId, long Epoch) : Command;

/// <summary>Why a run waits, in one sentence.</summary>
public sealed record Waiting(Guid RunId, string Reason);

public sealed record Plan(IReadOnlyList<Command> Commands, IReadOnlyList<Waiting> Waiting);
