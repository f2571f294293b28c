using System.Collections.Frozen;

namespace Hearth.Runs;

/// <summary>States of a run as users see them. Stored and sent by name; a test freezes the names.</summary>
public enum RunState
{
    Queued,
    Starting,
    Running,

    /// <summary>The attempt was told to checkpoint and go; the run then returns to the queue.</summary>
    Preempting,

    /// <summary>As preempting, but the run stays out of the queue until the user resumes it.</summary>
    Pausing,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

/// <summary>The table of legal moves; a live run pauses without a word where it has a step to wait at. API, scheduler and lease code all ask here; nothing else changes a state.</summary>
public static class RunStates
{
    private static readonly FrozenDictionary<RunState, RunState[]> Moves = new Dictionary<RunState, RunState[]>
    {
        [RunState.Queued] = [RunState.Starting, RunState.Paused, RunState.Cancelled, RunState.Failed],
        [RunState.Starting] = [RunState.Running, RunState.Preempting, RunState.Pausing, RunState.Paused, RunState.Queued, RunState.Succeeded, RunState.Failed, RunState.Cancelled],
        [RunState.Running] = [RunState.Preempting, RunState.Pausing, RunState.Paused, RunState.Queued, RunState.Succeeded, RunState.Failed, RunState.Cancelled],
        [RunState.Preempting] = [RunState.Queued, RunState.Pausing, RunState.Paused, RunState.Succeeded, RunState.Failed, RunState.Cancelled],
        [RunState.Pausing] = [RunState.Paused, RunState.Queued, RunState.Succeeded, RunState.Failed, RunState.Cancelled],
        [RunState.Paused] = [RunState.Queued, RunState.Cancelled],
        [RunState.Succeeded] = [],
        [RunState.Failed] = [],
        [RunState.Cancelled] = [],
    }.ToFrozenDictionary();

    public static bool CanMove(RunState from, RunState to) => Moves[from].Contains(to);

    public static IReadOnlyList<RunState> MovesFrom(RunState from) => Moves[from];

    public static bool IsTerminal(this RunState state) => Moves[state].Length == 0;

    /// <summary>True while an attempt of the run holds, or is being given, a device.</summary>
    public static bool IsLive(this RunState state) =>
        state is RunState.Starting or RunState.Running or RunState.Preempting or RunState.Pausing;
}

/// <summary>States of one placement of a run.</summary>
public enum AttemptState
{
    /// <summary>Placed by the scheduler; its agent has not reported it yet.</summary>
    Assigned,
    Starting,
    Running,
    Stopping,
    Succeeded,
    Failed,

    /// <summary>Stopped on request with its checkpoint committed.</summary>
    Stopped,

    /// <summary>Its lease ran out, or its trainer was killed: infrastructure, not the user's error.</summary>
    Lost,
}
