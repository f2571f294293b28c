using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Workers;

/// <summary>What becomes of a report, by the session that it is of.</summary>
public enum ReportStanding
{
    /// <summary>Of the worker's session, and newer than all before.</summary>
    Current,

    /// <summary>The first of a session that takes the worker over.</summary>
    Begins,

    /// <summary>Overtaken by a later one of its session; nothing of it is taken in.</summary>
    Overtaken,

    /// <summary>Of a session that a later one has ended; its agent is to stop.</summary>
    Ended,
}

/// <summary>
/// Which of two agents with one identity speaks for the worker: the one that came last. A copied home, or an agent that was thought dead, would
/// otherwise train the same attempt beside the other. Pure.
/// </summary>
public static class AgentSessions
{
    /// <param name="current">The worker's session; null = none yet.</param>
    /// <param name="lastReport">Number of its last report.</param>
    /// <param name="reported">That of the report; null = an agent from before there were sessions.</param>
    /// <param name="ended">Whether a later session has ended the reported one.</param>
    public static ReportStanding Judge(Guid? current, long lastReport, AgentSession? reported, bool ended) =>
        reported is null ? ReportStanding.Current
        : ended ? ReportStanding.Ended
        : reported.Id != current ? ReportStanding.Begins
        : reported.Report > lastReport ? ReportStanding.Current
        : ReportStanding.Overtaken;

    /// <summary>What is told to an agent whose session has ended.</summary>
    public static string Ended(string worker, string host) =>
        $"Another agent works as {worker} now, on {host}. A worker has one agent: stop one of them, or remove the home of this one and join again with a new code.";

    /// <summary>What people read of it on the pool page.</summary>
    public static string Refused(string refusedHost, string host) =>
        $"A second agent with this worker's identity, on {refusedHost}, was told to stop: the one on {host} came later. Was its home copied?";

    /// <summary>What people read of batches that nobody would take.</summary>
    public static string Said(RefusedLetters refused) =>
        $"{Words.Number(refused.Count)} {(refused.Count == 1 ? "batch" : "batches")} could not be taken in and lie in the folder refused of the worker's home. Last of {refused.Reason}";

    /// <summary>What people read after an outage.</summary>
    public static string Said(CutOff outage) =>
        $"Was out of reach for {(outage.Seconds < 120 ? $"{outage.Seconds:0} s" : $"{outage.Seconds / 60:0} min")} while its trainers went on: {outage.Reason}";
}
