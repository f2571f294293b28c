namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>Rule: nothing is placed while the object store is away, nor a run whose checkpoint is in doubt. Both would cost it its work.</summary>
internal static class Holds
{
    /// <summary>Why the run may not be placed, or null.</summary>
    internal static string? Why(QueuedRun run, Snapshot world) => world.StoreOutage ?? run.Hold;
}
