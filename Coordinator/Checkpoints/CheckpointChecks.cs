using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Npgsql;

namespace Hearth.Coordinator.Checkpoints;

/// <summary>A checkpoint that is to be read, and what is known of it.</summary>
/// <param name="Tries">How often this check was tried, this time included.</param>
/// <param name="Complaints">Attempts that could not use it.</param>
public sealed record DueCheck(Guid Id, Guid RunId, long Step, string Status, string Reason, int Tries, int Complaints);

/// <summary>
/// Checkpoints that the coordinator is to read itself. What a worker says of one (<see cref="CheckpointComplaints"/>) only brings it here.
/// </summary>
public sealed class CheckpointChecks(NpgsqlDataSource database, Wakes wakes)
{
    /// <summary>How long a check belongs to the coordinator that took it; renewed with each file.</summary>
    private const string Claim = "interval '3 minutes'";

    /// <summary>A person asks; also of one that was found missing or damaged before. False = no such checkpoint, or it was removed.</summary>
    public async Task<bool> AskAsync(Guid run, Guid checkpoint, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        bool asked = await session.ExecuteAsync(
            """
            insert into checkpoint_checks (checkpoint_id, reason)
            select id, 'somebody asked for it' from checkpoints where id = @checkpoint and run_id = @run and status <> 'removed'
            on conflict (checkpoint_id) do update set next_at = now(), tries = 0
            """,
            new { run, checkpoint }) > 0;
        wakes.Scheduler();
        return asked;
    }

    /// <summary>Takes one check that is due, so that no other coordinator does; null when none is.</summary>
    public async Task<DueCheck?> TakeAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<DueCheck>(
            $"""
            with due as (select checkpoint_id from checkpoint_checks where next_at <= now() order by next_at for update skip locked limit 1),
            taken as (
                update checkpoint_checks k set next_at = now() + {Claim}, tries = tries + 1 from due
                where k.checkpoint_id = due.checkpoint_id returning k.checkpoint_id, k.reason, k.tries)
            select c.id, c.run_id, c.step, c.status, t.reason, t.tries,
                (select count(*)::int from checkpoint_complaints p where p.checkpoint_id = c.id) as complaints
            from taken t join checkpoints c on c.id = t.checkpoint_id
            """);
    }

    /// <summary>The check is still being worked at.</summary>
    public Task RenewAsync(Guid checkpoint, CancellationToken stop) => MoveAsync(checkpoint, Claim, stop);

    /// <summary>Tried again after a pause that doubles with each try: the store is away.</summary>
    public Task PostponeAsync(DueCheck check, TimeSpan pause, CancellationToken stop) =>
        MoveAsync(check.Id, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"interval '{pause.TotalSeconds:0.###} seconds'"), stop);

    private async Task MoveAsync(Guid checkpoint, string interval, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            $"update checkpoint_checks set next_at = now() + {interval} where checkpoint_id = @checkpoint", new { checkpoint });
    }
}
