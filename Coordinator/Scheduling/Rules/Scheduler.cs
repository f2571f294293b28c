namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>
/// One decision over one snapshot. Pure: no clock, no database, no randomness; equal inputs give equal plans. Runs are judged by
/// kind and devices by class, so that its time grows with runs + devices and not with their product.
/// </summary>
public static class Scheduler
{
    public static Plan Decide(Snapshot world, DateTimeOffset now)
    {
        // 1. Expire leases that ran out; what they held is free.
        var expired = LeaseExpiry.Expired(world, now);
        var board = new Board(world.Devices, world.Attempts.ExceptBy(expired.Select(a => a.Id), a => a.Id));
        var commands = new List<Command>(expired.Select(a => new Expire(a.Id, a.RunId, a.Epoch)));
        var waiting = new List<(QueuedRun Run, RunKind Kind, string? Reason)>();

        // 2. In order of priority, then age:
        foreach (var run in QueueOrder.Of(world.Queue))
        {
            var kind = board.KindOf(run);

            // 3. wait while the store or its checkpoint is in doubt, or out a back-off,
            if ((Holds.Why(run, world) ?? BackOff.Waits(run, now)) is { } later)
            {
                waiting.Add((run, kind, later));
            }

            // 4. or take a free device that fits,
            else if (Fit.Best(kind) is { } place)
            {
                place.Slot.Take(run);
                commands.Add(new Place(run.Id, run.Version, place.Slot.Device.WorkerId, place.Slot.Device.Index, place.Need.MicroBatch, place.Need.PeakOn(place.Slot.Device.Kind)));
            }

            // 5. or have a run of lower priority give its own away.
            else if (Preemption.Choose(kind, run.Priority) is { } victim)
            {
                victim.Slot.Promise(run);
                if (!victim.Attempt.Stopping)
                {
                    commands.Add(new Preempt(victim.Attempt.Id, victim.Attempt.RunId, victim.Attempt.Epoch, run.Id));
                }

                waiting.Add((run, kind, $"{victim.Attempt.RunName} gives way on {victim.Slot.Device.Name}; this run is next there."));
            }
            else
            {
                waiting.Add((run, kind, null));
            }
        }

        // 6. Say why the others wait, by who holds what once the plan is done.
        return new Plan(commands, [.. waiting.Select(w => new Waiting(w.Run, w.Reason ?? w.Kind.WhyNot(board)))]);
    }
}
