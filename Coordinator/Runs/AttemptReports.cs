using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>A live attempt that its worker does not name any more, and how far it was heard to be.</summary>
public sealed record MissingAttempt(Guid Id, long Epoch, long Step);

/// <summary>What a worker says of its attempts: how they stand, which have ended, and, by leaving them out, which it does not know.</summary>
public sealed class AttemptReports(NpgsqlDataSource database, RunChanges changes, CoordinatorOptions options)
{
    /// <summary>A statement: attempts that the worker once reported and does not name. Parameters: <c>@worker</c> and <c>@known</c>, every attempt that it names, live or ended.</summary>
    internal const string SelectMissing =
        """
        select id, epoch, last_step as step from attempts
        where worker_id = @worker and ended_at is null and first_heartbeat_at is not null and not id = any(@known)
        """;

    private readonly LeaseRenewals _renewals = new(database, options.Lease);
    private readonly ReportedSteps _steps = new(database);

    /// <summary>Renews a lease and records where the attempt stands, in one fenced statement, which many workers share. False = the epoch is over.</summary>
    /// <param name="worker">Who reports.</param>
    /// <param name="number">Of the worker's report.</param>
    /// <param name="report">How the attempt stands.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<bool> RenewLeaseAsync(Guid worker, long number, AttemptReport report, CancellationToken stop)
    {
        if (await _renewals.RenewAsync(new LeaseRenewal(worker, number, report), stop) is not { } renewed)
        {
            return false;
        }

        if (renewed.Moved && report.State == AttemptState.Running)
        {
            await StartAsync(renewed.RunId, report.Lease, stop);
        }
        else if (renewed.Stepped || renewed.Starting)
        {
            // A transaction of its own: the attempt's row is not held while the run's is waited for.
            await _steps.RecordAsync(new ReportedStep(renewed.RunId, report.Step), stop);
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
    public async Task LoseMissingAsync(Guid worker, IEnumerable<MissingAttempt> missing, CancellationToken stop)
    {
        foreach (var (id, epoch, step) in missing)
        {
            await EndAsync(worker, new AttemptEnd(new Lease(id, epoch), AttemptState.Lost, step, null, null, "Its worker came back without it."), stop);
        }
    }

    private async Task StartAsync(Guid run, Lease lease, CancellationToken stop)
    {
        await using var change = await changes.BeginAsync(new RunRef(run, null), stop);
        if (change is not null && await change.StartAsync(lease))
        {
            await change.CommitAsync();
        }
    }

    private async Task<Guid?> RunOfAsync(Guid worker, Lease lease, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Guid?>(
            "select run_id from attempts where id = @AttemptId and epoch = @Epoch and worker_id = @worker and ended_at is null",
            new { lease.AttemptId, lease.Epoch, worker });
    }
}
