using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>The world as one transaction read it. Everything that a decision depends on is in here.</summary>
/// <param name="Queue">Runs that wait, in any order.</param>
/// <param name="Devices">Every device of every worker that is not removed.</param>
/// <param name="Attempts">Attempts that are not over.</param>
/// <param name="LossesKnown">False during one lease period after the scheduler came to be: nothing is declared dead before.</param>
/// <param name="StoreOutage">Why the object store cannot be used, in a sentence; null while it can.</param>
public sealed record Snapshot(
    IReadOnlyList<QueuedRun> Queue,
    IReadOnlyList<PoolDevice> Devices,
    IReadOnlyList<LiveAttempt> Attempts,
    bool LossesKnown,
    string? StoreOutage = null);

/// <param name="NotBefore">End of its back-off; null = it may be placed at once.</param>
/// <param name="Devices">Which devices it may use (<see cref="DeviceSelector"/>).</param>
/// <param name="Needs">What it takes of a device; one object for all runs of a kind, since runs are grouped by it.</param>
/// <param name="Reason">Why it waits, as it was last said; null = nothing was said yet.</param>
/// <param name="Hold">Why it may not be placed whatever is free, in a sentence; null when it may.</param>
public sealed record QueuedRun(
    Guid Id,
    string Name,
    long Version,
    RunPriority Priority,
    DateTimeOffset QueuedAt,
    DateTimeOffset? NotBefore,
    string Devices,
    RunNeeds Needs,
    string? Reason = null,
    string? Hold = null);

/// <summary>What decides whether a run fits: devices of one class are equal to it.</summary>
/// <param name="MemoryBytes">VRAM, or the RAM that training may use on a CPU.</param>
/// <param name="Model">By which reported peaks correct forecasts.</param>
public readonly record struct DeviceClass(DeviceKind Kind, long MemoryBytes, string Model);

/// <summary>A device as the scheduler sees it; its name is <c>worker/index</c>.</summary>
public sealed record PoolDevice(Guid WorkerId, string WorkerName, int Index, DeviceKind Kind, string Model, long MemoryBytes, bool Online, bool Draining)
{
    public string Name => $"{WorkerName}/{Index}";

    public DeviceClass Class => new(Kind, MemoryBytes, Model);

    /// <summary>It takes new runs: it is there, and its worker is not being drained.</summary>
    public bool Takes => Online && !Draining;
}

/// <param name="RunName">For reasons that name who holds a device.</param>
/// <param name="Stopping">Already told to stop.</param>
/// <param name="StepsAtRisk">Steps since the last checkpoint: what killing it now would repeat.</param>
public sealed record LiveAttempt(
    Guid Id,
    Guid RunId,
    string RunName,
    long Epoch,
    Guid WorkerId,
    int DeviceIndex,
    RunPriority Priority,
    bool Stopping,
    long StepsAtRisk,
    DateTimeOffset LeaseEndsAt);
