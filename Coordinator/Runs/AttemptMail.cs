using Dapper;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>An attempt that its worker has not reported yet, as it was decided.</summary>
public sealed record AssignedAttempt(
    Guid Id, long Epoch, Guid RunId, string RunName, int Number, string Spec, bool Recompute, int DeviceIndex, int MicroBatch, Guid? CheckpointId, Guid? StartCheckpoint, long FirstStep, long? SentIn, long? PauseAtStep);

/// <summary>Something that a worker is to tell an attempt of its own.</summary>
public sealed record PendingCommand(long Id, Guid AttemptId, AttemptCommandKind Kind, string? Prompt, int? MaxTokens, double? Temperature, long? SentIn);

/// <summary>What the coordinator has to tell a worker of its attempts.</summary>
public sealed record AttemptLetters(IReadOnlyList<AssignedAttempt> Placed, IReadOnlyList<PendingCommand> Commands)
{
    public bool IsEmpty => Placed.Count + Commands.Count == 0;

    /// <summary>What an earlier answer carried is repeated, but is no reason to answer early: the worker is at it.</summary>
    public bool IsNew(long seenSerial) => Placed.Any(p => !(p.SentIn <= seenSerial)) || Commands.Any(c => !(c.SentIn <= seenSerial));
}

/// <summary>Assignments and commands on their way to workers; both are repeated until a report shows that they arrived.</summary>
internal static class AttemptMail
{
    /// <summary>Two statements of a batch, read by <see cref="ReadAsync"/>. Parameter: <c>@worker</c>.</summary>
    internal const string Select =
        """
        select a.id, a.epoch, a.run_id, r.name as run_name, a.number, r.spec::text as spec, r.recompute, a.device_index, a.micro_batch, a.checkpoint_id, r.start_checkpoint, a.first_step, a.sent_in, r.pause_at_step
        from attempts a join runs r on r.id = a.run_id
        where a.worker_id = @worker and a.ended_at is null and a.first_heartbeat_at is null and not a.stop_requested;
        select c.id, c.attempt_id, c.kind, c.prompt, c.max_tokens, c.temperature, c.sent_in
        from attempt_commands c join attempts a on a.id = c.attempt_id
        where a.worker_id = @worker and a.ended_at is null order by c.id
        """;

    /// <summary>
    /// Part of the statement that numbers an answer, behind a <c>next</c> with its <c>serial</c>: notes which answer carries the letters. Parameters: <c>@attempts</c>,
    /// <c>@commands</c> and <c>@SeenSerial</c>.
    /// </summary>
    internal const string Stamp =
        """
        placed as (update attempts a set sent_in = next.serial from next where a.id = any(@attempts) and (a.sent_in is null or a.sent_in > @SeenSerial)),
        told as (update attempt_commands c set sent_in = next.serial from next where c.id = any(@commands) and (c.sent_in is null or c.sent_in > @SeenSerial))
        """;

    /// <summary>A statement. Stop and kill are repeated until the attempt shows that it obeys; the others go once they have arrived. Parameters: <c>@worker</c> and <c>@SeenSerial</c>.</summary>
    internal const string ForgetArrived =
        """
        delete from attempt_commands c using attempts a
        where a.id = c.attempt_id and a.worker_id = @worker and c.kind in ('checkpoint', 'sample') and c.sent_in <= @SeenSerial
        """;

    /// <param name="rows">Of <see cref="Select"/>.</param>
    /// <param name="reported">States of those attempts that the worker has reported.</param>
    internal static async Task<AttemptLetters> ReadAsync(SqlMapper.GridReader rows, IReadOnlyDictionary<Guid, AttemptState> reported)
    {
        AssignedAttempt[] placed = [.. await rows.ReadAsync<AssignedAttempt>()];
        var commands = await rows.ReadAsync<PendingCommand>();
        return new AttemptLetters(placed, [.. commands.Where(c => reported.TryGetValue(c.AttemptId, out var state) && Applies(c.Kind, state))]);
    }

    private static bool Applies(AttemptCommandKind kind, AttemptState state) => kind switch
    {
        AttemptCommandKind.Kill => true,
        AttemptCommandKind.Stop => state != AttemptState.Stopping,
        _ => state == AttemptState.Running,
    };
}
