using Hearth.Coordinator.Database;

namespace Hearth.Coordinator.Runs;

/// <summary>
/// What attempts say of the checkpoints that they were to begin with. A complaint only has the coordinator read the checkpoint itself: nothing is
/// taken out of use on a claim that was not verified.
/// </summary>
public static class CheckpointComplaints
{
    /// <summary>Notes an attempt's complaint about a checkpoint that is offered, and asks for a check. Of any other, and of null, nothing is noted.</summary>
    public static Task AddAsync(DbSession session, Guid? checkpoint, Guid attempt, string reason) => session.ExecuteAsync(
        """
        insert into checkpoint_complaints (checkpoint_id, attempt_id, reason)
        select id, @attempt, @reason from checkpoints where id = @checkpoint and status = 'kept' on conflict do nothing;
        insert into checkpoint_checks (checkpoint_id, reason) select id, @reason from checkpoints where id = @checkpoint and status = 'kept'
        on conflict (checkpoint_id) do update set next_at = now(), tries = 0;
        """,
        new { checkpoint, attempt, reason });
}
