namespace Hearth.Coordinator.Runs;

/// <summary>
/// The condition that every write of an attempt carries in its own SQL statement. Parameters: <c>@attempt</c>, <c>@epoch</c>
/// and <c>@worker</c>, the caller. A write that touches no row because of it is answered with <c>Problems.Fenced()</c>.
/// </summary>
public static class Fence
{
    public const string LiveAttempt =
        "exists (select 1 from attempts where id = @attempt and epoch = @epoch and worker_id = @worker and ended_at is null)";

    /// <summary>As <see cref="LiveAttempt"/>, giving the run: for statements that begin <c>with live as (…)</c>.</summary>
    public const string LiveRun =
        "select id as attempt_id, run_id, number from attempts where id = @attempt and epoch = @epoch and worker_id = @worker and ended_at is null";
}
