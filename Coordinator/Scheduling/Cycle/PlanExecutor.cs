using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Cycle;

/// <summary>
/// Applies a plan. Each command is one transaction that first checks the scheduler's term and what it was decided on; when the world
/// has moved on, it is dropped, and the next cycle decides again.
/// </summary>
public sealed class PlanExecutor(RunChanges changes, CoordinatorOptions options, WaitingReasons reasons, ILogger<PlanExecutor> log)
{
    /// <exception cref="TermOverException">Another scheduler has begun a term; the rest of the plan is not applied.</exception>
    public async Task ApplyAsync(Plan plan, SchedulerTerm term, CancellationToken stop)
    {
        foreach (var command in plan.Commands)
        {
            bool applied = command switch
            {
                Place place => await PlaceAsync(place, term, stop),
                Preempt preempt => await PreemptAsync(preempt, term, stop),
                Expire expire => await ExpireAsync(expire, term, stop),
                _ => throw new InvalidOperationException($"nothing applies {command}"),
            };
            if (!applied)
            {
                log.CommandDropped(command.ToString());
            }
        }

        await reasons.SayAsync([.. plan.Waiting.Where(w => w.IsNews).Select(w => (w.Run.Id, w.Reason))], term, stop);
    }

    private async Task<bool> PlaceAsync(Place place, SchedulerTerm term, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(place.RunId, null), stop, term);
        if (change is null || change.Run.Version != place.Version || change.Run.State != RunState.Queued)
        {
            return false;
        }

        if (!await change.PlaceAsync(place, options.Lease))
        {
            return false;
        }

        await change.CommitAsync();
        return true;
    }

    private async Task<bool> PreemptAsync(Preempt preempt, SchedulerTerm term, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(preempt.RunId, null), stop, term);
        if (change is not { Attempt: { StopRequested: false } attempt } || attempt.Id != preempt.AttemptId || attempt.Epoch != preempt.Epoch
            || !RunStates.CanMove(change.Run.State, RunState.Preempting))
        {
            return false;
        }

        await change.MoveAsync(RunState.Preempting, "Gives its device to a run of higher priority.");
        await change.StopAsync(AttemptCommandKind.Stop);
        await change.CommitAsync();
        return true;
    }

    private async Task<bool> ExpireAsync(Expire expire, SchedulerTerm term, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(expire.RunId, null), stop, term);
        if (change is not { Attempt: { } attempt })
        {
            return false;
        }

        var end = new AttemptEnd(new Lease(expire.AttemptId, expire.Epoch), AttemptState.Lost, attempt.LastStep, null, null, $"{attempt.Device} went silent.");
        if (!await change.EndAsync(end, expired: true))
        {
            return false;
        }

        await change.CommitAsync();
        return true;
    }
}
