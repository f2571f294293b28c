using Dapper;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>What came of a report: ends that need not be told again, and attempts that are over for their worker.</summary>
public sealed record Taken(IReadOnlyList<Guid> Acknowledged, IReadOnlyList<Guid> Revoked);

/// <summary>Takes in what a worker reports: that it lives, its devices, how its attempts stand and which have ended.</summary>
public sealed class Heartbeats(
    NpgsqlDataSource database, RunChanges changes, Wakes wakes, CoordinatorOptions options, WorkerStore workers, GenerationMail generations)
{
    public async Task<Taken> TakeAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await SeeAsync(worker, request, stop);
        foreach (var end in request.Ended)
        {
            await EndAsync(worker, end, stop);
        }

        var revoked = new List<Guid>();
        foreach (var report in request.Attempts)
        {
            if (!await RenewAsync(worker, report, stop))
            {
                revoked.Add(report.Lease.AttemptId);
            }
        }

        await LoseMissingAsync(worker, request, stop);
        await generations.SeeAsync(worker, request.Generations, stop);
        await ForgetArrivedAsync(worker, request.SeenSerial, stop);
        return new Taken([.. request.Ended.Select(e => e.Lease.AttemptId)], revoked);
    }

    private async Task SeeAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(stop);
        var seen = await connection.QuerySingleAsync<Seen>(new CommandDefinition(
            """
            with old as (select id, devices, told_online, told_at from workers where id = @worker for update)
            update workers w set seen_at = now(), agent_version = @AgentVersion, devices = @devices, readings = @readings, host_free_bytes = @HostFreeBytes, told_online = true,
                told_at = case when old.told_at < now() - interval '5 seconds' then now() else old.told_at end
            from old where w.id = old.id
            returning old.devices <> w.devices or not old.told_online as changed, old.told_at <> w.told_at as due
            """,
            new { worker, request.AgentVersion, request.HostFreeBytes, devices = DapperTypes.Jsonb(request.Devices), readings = DapperTypes.Jsonb(request.Readings) },
            transaction,
            cancellationToken: stop));
        if (seen.Changed || seen.Due)
        {
            await workers.TellAsync(connection, transaction, [worker], stop);
        }

        await transaction.CommitAsync(stop);
        if (seen.Changed)
        {
            wakes.Scheduler();
        }
    }

    /// <summary>Renews a lease and records where the attempt stands, in one fenced statement. False = the epoch is over.</summary>
    private async Task<bool> RenewAsync(Guid worker, AttemptReport report, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        var renewed = await connection.QuerySingleOrDefaultAsync<Renewed>(new CommandDefinition(
            """
            with old as (
                select a.id, a.state, a.starting_what, a.last_step from attempts a
                where a.id = @attempt and a.epoch = @epoch and a.worker_id = @worker and a.ended_at is null for update)
            update attempts a set lease_ends_at = now() + make_interval(secs => @lease), first_heartbeat_at = coalesce(first_heartbeat_at, now()),
                state = case when @state = 'assigned' then 'starting' else @state end, last_step = greatest(a.last_step, @Step),
                first_step_at = case when @Step > first_step then coalesce(first_step_at, now()) else first_step_at end,
                starting_what = case when @state = 'running' then null else coalesce(@What, a.starting_what) end,
                starting_fraction = case when @state = 'running' then null else coalesce(@Fraction, a.starting_fraction) end
            from old where a.id = old.id and a.ended_at is null
            returning a.run_id, a.epoch, old.state <> a.state as moved, old.last_step <> a.last_step as stepped,
                coalesce(old.starting_what, '') <> coalesce(a.starting_what, '') or a.starting_fraction is not null as starting
            """,
            new
            {
                attempt = report.Lease.AttemptId,
                epoch = report.Lease.Epoch,
                worker,
                lease = options.Lease.TotalSeconds,
                state = report.State.ToString().ToLowerInvariant(),
                report.Step,
                report.What,
                report.Fraction,
            },
            cancellationToken: stop));
        if (renewed is null)
        {
            return false;
        }

        if (renewed.Moved && report.State == AttemptState.Running)
        {
            await StartRunningAsync(renewed.RunId, report.Lease, stop);
        }
        else if (renewed.Stepped || renewed.Starting)
        {
            await TellProgressAsync(connection, renewed.RunId, report.Step, stop);
        }

        return true;
    }

    private async Task StartRunningAsync(Guid run, Lease lease, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(run, null), stop);
        if (change is not { Run.State: RunState.Starting, Attempt: { } attempt } || attempt.Id != lease.AttemptId || attempt.Epoch != lease.Epoch)
        {
            return;
        }

        await change.MoveAsync(RunState.Running);
        await change.NoteAsync("started", attempt.CheckpointId is null ? $"Trains on {attempt.Device}." : $"Goes on at step {Words.Number(attempt.FirstStep)} on {attempt.Device}.", attempt.FirstStep);
        await change.CommitAsync();
    }

    private static async Task TellProgressAsync(NpgsqlConnection connection, Guid run, long step, CancellationToken stop)
    {
        await using var transaction = await connection.BeginTransactionAsync(stop);
        await connection.ExecuteAsync(new CommandDefinition("update runs set step = greatest(step, @step) where id = @run", new { run, step }, transaction, cancellationToken: stop));
        await RunProgress.TellAsync(connection, transaction, run, stop);
        await transaction.CommitAsync(stop);
    }

    // A stale end changes nothing and is acknowledged all the same, so that its worker forgets it.
    private async Task EndAsync(Guid worker, AttemptEnd end, CancellationToken stop)
    {
        if (await RunOfAsync(worker, end.Lease, stop) is not { } run)
        {
            return;
        }

        await using var change = await changes.BeginAsync(new RunRef(run, null), stop);
        if (change is not null && await change.EndAsync(end))
        {
            await change.CommitAsync();
        }
    }

    /// <summary>An attempt that its worker once reported and now does not know is lost: the agent restarted without it.</summary>
    private async Task LoseMissingAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        var known = request.Attempts.Select(a => a.Lease.AttemptId).Concat(request.Ended.Select(e => e.Lease.AttemptId)).ToArray();
        await using var connection = await database.OpenConnectionAsync(stop);
        var missing = (await connection.QueryAsync<(Guid Id, long Epoch, long Step)>(new CommandDefinition(
            """
            select id, epoch, last_step from attempts
            where worker_id = @worker and ended_at is null and first_heartbeat_at is not null and not id = any(@known)
            """,
            new { worker, known },
            cancellationToken: stop))).ToList();
        foreach (var (id, epoch, step) in missing)
        {
            await EndAsync(worker, new AttemptEnd(new Lease(id, epoch), AttemptState.Lost, step, null, null, "Its worker came back without it."), stop);
        }
    }

    // Stop and kill are repeated until the attempt shows that it obeys; the others once they have arrived.
    private async Task ForgetArrivedAsync(Guid worker, long seenSerial, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await connection.ExecuteAsync(new CommandDefinition(
            """
            delete from attempt_commands c using attempts a
            where a.id = c.attempt_id and a.worker_id = @worker and c.kind in ('checkpoint', 'sample') and c.sent_in <= @seenSerial
            """,
            new { worker, seenSerial },
            cancellationToken: stop));
    }

    private async Task<Guid?> RunOfAsync(Guid worker, Lease lease, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        return await connection.QuerySingleOrDefaultAsync<Guid?>(new CommandDefinition(
            "select run_id from attempts where id = @AttemptId and epoch = @Epoch and worker_id = @worker and ended_at is null",
            new { lease.AttemptId, lease.Epoch, worker },
            cancellationToken: stop));
    }

    private sealed record Seen(bool Changed, bool Due);

    private sealed record Renewed(Guid RunId, long Epoch, bool Moved, bool Stepped, bool Starting);
}
