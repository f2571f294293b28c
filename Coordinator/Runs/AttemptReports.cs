using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>What a worker says of its attempts: how they stand, which have ended, and, by leaving them out, which it does not know.</summary>
public sealed class AttemptReports(NpgsqlDataSource database, RunChanges changes, CoordinatorOptions options)
{
    private const int LongestWhat = 200;

    /// <summary>Renews a lease and records where the attempt stands, in one fenced statement. False = the epoch is over.</summary>
    public async Task<bool> RenewLeaseAsync(Guid worker, AttemptReport report, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var renewed = await session.FindAsync<Renewed>(
            """
            with old as (
                select a.id, a.state, a.starting_what, a.last_step from attempts a
                where a.id = @attempt and a.epoch = @epoch and a.worker_id = @worker and a.ended_at is null for update)
            update attempts a set lease_ends_at = now() + make_interval(secs => @lease), first_heartbeat_at = coalesce(first_heartbeat_at, now()),
                state = case when @state = 'assigned' then 'starting' else @state end, last_step = greatest(a.last_step, @Step),
                first_step_at = case when @Step > first_step then coalesce(first_step_at, now()) else first_step_at end,
                starting_what = case when @state = 'running' then null else coalesce(@what, a.starting_what) end,
                starting_fraction = case when @state = 'running' then null else coalesce(@Fraction, a.starting_fraction) end
            from old where a.id = old.id and a.ended_at is null
            returning a.run_id, old.state <> a.state as moved, old.last_step <> a.last_step as stepped,
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
                what = StoredText.Of(report.What, LongestWhat),
                report.Fraction,
            });
        if (renewed is null)
        {
            return false;
        }

        if (renewed.Moved && report.State == AttemptState.Running)
        {
            await StartAsync(renewed.RunId, report.Lease, stop);
        }
        else if (renewed.Stepped || renewed.Starting)
        {
            await StepAsync(renewed.RunId, report.Step, stop);
        }

        return true;
    }

    /// <summary>Ends an attempt. A stale end changes nothing and is acknowledged all the same, so that its worker forgets it.</summary>
    public async Task EndAsync(Guid worker, AttemptEnd end, CancellationToken stop)
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

    /// <summary>Ends attempts that the worker once reported and now does not know: its agent restarted without them.</summary>
    /// <param name="worker">Who reports.</param>
    /// <param name="known">Every attempt that it names, live or ended.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task LoseMissingAsync(Guid worker, IEnumerable<Guid> known, CancellationToken stop)
    {
        foreach (var (id, epoch, step) in await MissingAsync(worker, [.. known], stop))
        {
            await EndAsync(worker, new AttemptEnd(new Lease(id, epoch), AttemptState.Lost, step, null, null, "Its worker came back without it."), stop);
        }
    }

    /// <summary>Forgets commands that the worker has shown to have.</summary>
    public async Task ForgetArrivedAsync(Guid worker, long seenSerial, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await AttemptMail.ForgetArrivedAsync(session, worker, seenSerial);
    }

    // A transaction of its own: the attempt's row is not held while the run's is waited for.
    private async Task StepAsync(Guid run, long step, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        await RunProgress.StepAsync(session, run, step);
        await session.CommitAsync();
    }

    private async Task StartAsync(Guid run, Lease lease, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(run, null), stop);
        if (change is not null && await change.StartAsync(lease))
        {
            await change.CommitAsync();
        }
    }

    private async Task<IReadOnlyList<(Guid Id, long Epoch, long Step)>> MissingAsync(Guid worker, Guid[] known, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.QueryAsync<(Guid, long, long)>(
            """
            select id, epoch, last_step from attempts
            where worker_id = @worker and ended_at is null and first_heartbeat_at is not null and not id = any(@known)
            """,
            new { worker, known });
    }

    private async Task<Guid?> RunOfAsync(Guid worker, Lease lease, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Guid?>(
            "select run_id from attempts where id = @AttemptId and epoch = @Epoch and worker_id = @worker and ended_at is null",
            new { lease.AttemptId, lease.Epoch, worker });
    }

    private sealed record Renewed(Guid RunId, bool Moved, bool Stepped, bool Starting);
}
