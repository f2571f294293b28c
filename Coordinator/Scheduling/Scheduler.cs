using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling;

/// <summary>
/// One decision over one snapshot. Pure: no clock, no database, no randomness; equal inputs give equal plans. Reads as its
/// steps: expire, order, fit, preempt, and a reason for whoever still waits.
/// </summary>
public static class Scheduler
{
    public static Plan Decide(Snapshot world, DateTimeOffset now)
    {
        var commands = new List<Command>();
        var waiting = new List<Waiting>();

        // 1. Expire leases that ran out.
        var expired = Leases.Expired(world, now);
        commands.AddRange(expired.Select(a => new Expire(a.Id, a.RunId, a.Epoch)));

        // 2. What is free: a device of a lost attempt is only free again once its worker is back in time.
        var board = new Board(world, expired);

        // 3. In order of priority, then age: place, or preempt, or say why not.
        foreach (var run in Order.Queue(world.Runs))
        {
            if (Holds.Why(run, world) is { } hold)
            {
                waiting.Add(new Waiting(run.Id, hold));
            }
            else if (run.NotBefore is { } later && later > now)
            {
                waiting.Add(new Waiting(run.Id, $"Its last attempt was lost; it is tried again in {Math.Ceiling((later - now).TotalSeconds)} s."));
            }
            else if (Fit.Best(run, board) is { } choice)
            {
                board.Take(choice.Device, run);
                commands.Add(new Place(run.Id, run.Version, choice.Device.WorkerId, choice.Device.Index, choice.MicroBatch));
            }
            else if (Preemption.Victim(run, board) is { } victim)
            {
                board.Promise(victim, run);
                if (!victim.Stopping)
                {
                    commands.Add(new Preempt(victim.Id, victim.RunId, victim.Epoch, run.Id));
                }

                waiting.Add(new Waiting(run.Id, $"{board.RunName(victim.RunId)} gives way on {board.DeviceOf(victim).Name}; this run is next there."));
            }
            else
            {
                waiting.Add(new Waiting(run.Id, Reasons.Why(run, board)));
            }
        }

        return new Plan(commands, waiting);
    }
}

/// <summary>Rule: a lease that ended without renewal is lost, unless this leader is too new to know.</summary>
internal static class Leases
{
    internal static IReadOnlyList<LiveAttempt> Expired(Snapshot world, DateTimeOffset now) =>
        world.LossesKnown ? [.. world.Attempts.Where(a => a.LeaseEndsAt < now).OrderBy(a => a.Id)] : [];
}

/// <summary>Rule: priority first, then age; the id makes the order total.</summary>
internal static class Order
{
    internal static IEnumerable<QueuedRun> Queue(IEnumerable<QueuedRun> runs) => runs
        .Where(r => r.State == RunState.Queued)
        .OrderByDescending(r => r.Priority)
        .ThenBy(r => r.QueuedAt)
        .ThenBy(r => r.Id);
}
