namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>Rule: a lease that ended without renewal is lost, unless the scheduler is too new to know.</summary>
internal static class LeaseExpiry
{
    internal static IReadOnlyList<LiveAttempt> Expired(Snapshot world, DateTimeOffset now) =>
        world.LossesKnown ? [.. world.Attempts.Where(a => a.LeaseEndsAt < now).OrderBy(a => a.Id)] : [];
}
