using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Generations;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>What came of a report: ends that need not be told again, and attempts that are over for their worker.</summary>
public sealed record Taken(IReadOnlyList<Guid> Acknowledged, IReadOnlyList<Guid> Revoked);

/// <summary>Takes in what a worker reports: that it lives, its devices, how its attempts stand and which have ended.</summary>
public sealed class Heartbeats(NpgsqlDataSource database, AttemptReports attempts, Wakes wakes, WorkerStore workers, GenerationMail generations)
{
    public async Task<Taken> TakeAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await SeeAsync(worker, request, stop);
        foreach (var end in request.Ended)
        {
            await attempts.EndAsync(worker, end, stop);
        }

        var revoked = new List<Guid>();
        foreach (var report in request.Attempts)
        {
            if (!await attempts.RenewLeaseAsync(worker, report, stop))
            {
                revoked.Add(report.Lease.AttemptId);
            }
        }

        await attempts.LoseMissingAsync(worker, request.Attempts.Select(a => a.Lease.AttemptId).Concat(request.Ended.Select(e => e.Lease.AttemptId)), stop);
        await generations.SeeAsync(worker, request.Generations, stop);
        await attempts.ForgetArrivedAsync(worker, request.SeenSerial, stop);
        return new Taken([.. request.Ended.Select(e => e.Lease.AttemptId)], revoked);
    }

    private async Task SeeAsync(Guid worker, SyncRequest request, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var seen = await session.SingleAsync<Seen>(
            """
            with old as (select id, devices, told_online, told_at from workers where id = @worker for update)
            update workers w set seen_at = now(), agent_version = @AgentVersion, devices = @devices, readings = @readings, host_free_bytes = @HostFreeBytes, told_online = true,
                told_at = case when old.told_at < now() - interval '5 seconds' then now() else old.told_at end
            from old where w.id = old.id
            returning old.devices <> w.devices or not old.told_online as changed, old.told_at <> w.told_at as due
            """,
            new { worker, request.AgentVersion, request.HostFreeBytes, devices = DapperTypes.Jsonb(request.Devices), readings = DapperTypes.Jsonb(request.Readings) });
        if (seen.Changed || seen.Due)
        {
            await workers.TellAsync(session, [worker]);
        }

        await session.CommitAsync();
        if (seen.Changed)
        {
            wakes.Scheduler();
        }
    }

    private sealed record Seen(bool Changed, bool Due);
}
