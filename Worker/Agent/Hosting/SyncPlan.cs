using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>An attempt as the plan sees it.</summary>
/// <param name="Lease">Which.</param>
/// <param name="State">Starting, Running or Stopping.</param>
/// <param name="Obeyed">Ids of commands obeyed so far.</param>
public sealed record AttemptView(Lease Lease, AttemptState State, IReadOnlySet<long> Obeyed);

/// <summary>What the agent knows when an answer arrives.</summary>
/// <param name="Attempts">Live attempts.</param>
/// <param name="Ended">Ends that are not acknowledged yet.</param>
/// <param name="Known">Every lease taken up since the agent's start, so that a late answer starts nothing twice.</param>
public sealed record AgentView(IReadOnlyList<AttemptView> Attempts, IReadOnlyList<Lease> Ended, IReadOnlySet<Lease> Known);

public abstract record AgentAction
{
    private AgentAction()
    {
    }

    /// <summary>Kill, drop everything, send nothing more.</summary>
    public sealed record Fence(Lease Lease) : AgentAction;

    /// <summary>The end was acknowledged and need not be told again.</summary>
    public sealed record Forget(Lease Lease) : AgentAction;

    public sealed record Kill(Lease Lease, long CommandId) : AgentAction;

    public sealed record Stop(Lease Lease, long CommandId) : AgentAction;

    public sealed record Tell(Lease Lease, long CommandId, TrainerCommand Command) : AgentAction;

    public sealed record Start(Assignment Assignment) : AgentAction;
}

/// <summary>From the coordinator's answer to what the agent does. Pure; the order frees devices before it fills them.</summary>
public static class SyncPlan
{
    public static IReadOnlyList<AgentAction> Decide(SyncResponse answer, AgentView view)
    {
        var revoked = view.Attempts.Where(a => answer.Revoked.Contains(a.Lease.AttemptId) || IsReplaced(a.Lease, answer)).ToList();
        var live = view.Attempts.Except(revoked).ToList();
        var ended = view.Ended.Where(e => answer.Acknowledged.Contains(e.AttemptId) || answer.Revoked.Contains(e.AttemptId));

        var actions = new List<AgentAction>();
        actions.AddRange(revoked.Select(a => new AgentAction.Fence(a.Lease)));
        actions.AddRange(ended.Select(e => new AgentAction.Forget(e)));
        actions.AddRange(live.SelectMany(a => Commands(a, answer)));
        actions.AddRange(answer.Assignments
            .Where(a => !view.Known.Contains(a.Lease) && !view.Ended.Contains(a.Lease) && !answer.Revoked.Contains(a.Lease.AttemptId))
            .DistinctBy(a => a.Lease)
            .Select(a => new AgentAction.Start(a)));
        return actions;
    }

    /// <summary>A newer epoch of the same attempt ends the older one.</summary>
    private static bool IsReplaced(Lease lease, SyncResponse answer) =>
        answer.Assignments.Any(a => a.Lease.AttemptId == lease.AttemptId && a.Lease.Epoch > lease.Epoch);

    private static IEnumerable<AgentAction> Commands(AttemptView attempt, SyncResponse answer)
    {
        var own = answer.Commands.Where(c => c.AttemptId == attempt.Lease.AttemptId && !attempt.Obeyed.Contains(c.Id)).DistinctBy(c => c.Id).ToList();
        if (own.FirstOrDefault(c => c.Kind == AttemptCommandKind.Kill) is { } kill)
        {
            return [new AgentAction.Kill(attempt.Lease, kill.Id)];
        }

        if (own.FirstOrDefault(c => c.Kind == AttemptCommandKind.Stop) is { } stop)
        {
            return attempt.State == AttemptState.Stopping ? [] : [new AgentAction.Stop(attempt.Lease, stop.Id)];
        }

        return own.Where(_ => attempt.State == AttemptState.Running).Select(c => new AgentAction.Tell(attempt.Lease, c.Id, c.Kind switch
        {
            AttemptCommandKind.Sample => new TrainerCommand("sample", c.Prompt, c.MaxTokens, c.Temperature),
            _ => new TrainerCommand("checkpoint"),
        }));
    }
}
