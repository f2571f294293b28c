namespace Hearth.Coordinator.Runs;

/// <summary>
/// The condition that every write of an attempt carries in its own SQL statement. Parameters: <c>@attempt</c>, <c>@epoch</c>
/// and <c>@worker</c>, the caller. A write that touches no row because of it is answered with <c>Problems.Fenced()</c>.
/// </summary>
public static class Fence
{
    public const string LiveAttempt =
        "exists (select 1 from attempts where id = @attempt and epoch = @epoch and worker_id = @worker and ended_at is null)";

    /// <summary>
    /// As <see cref="LiveAttempt"/>, giving the run: for statements that begin <c>with live as (…)</c>. Locks the run, then the attempt, as
    /// every change of a run does, until the transaction ends: an end of the attempt comes before the write or after its commit, never between.
    /// </summary>
    public const string LiveRun =
        """
        select a.id as attempt_id, a.run_id, a.number
        from (select id from runs where id = (select run_id from attempts where id = @attempt) for no key update) r join attempts a on a.run_id = r.id
        where a.id = @attempt and a.epoch = @epoch and a.worker_id = @worker and a.ended_at is null
        for share of a
        """;
}
