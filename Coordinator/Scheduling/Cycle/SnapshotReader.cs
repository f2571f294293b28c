using System.Data;
using Dapper;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Scheduling.Cycle;

/// <summary>Reads the world in one transaction, with the database's clock, which all coordinators share. Reads no run that is over.</summary>
public sealed class SnapshotReader(NpgsqlDataSource database, PoolDevices devices, NeedsCatalog needs, StoreWatch store, CoordinatorOptions options)
{
    public async Task<(Snapshot World, DateTimeOffset Now)> ReadAsync(bool lossesKnown, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop, IsolationLevel.RepeatableRead);
        var (now, queue, attempts, holds, pool) = await session.BatchAsync(
            $"""
            select now();
            select id, name, version, priority, queued_at, not_before, devices, reason, micro_batch_limit, recompute from runs where state = 'queued';
            select a.id, a.run_id, r.name as run_name, a.epoch, a.worker_id, a.device_index, r.priority, a.stop_requested,
                a.last_step - greatest(a.first_step, coalesce((select max(c.step) from checkpoints c where c.run_id = a.run_id and c.status = 'kept' and c.step <= a.last_step), 0)) as steps_at_risk,
                a.lease_ends_at
            from attempts a join runs r on r.id = a.run_id where a.ended_at is null;
            {CheckpointHolds.Select};
            {PoolDevices.Select}
            """,
            new { lease = options.Lease.TotalSeconds },
            async rows => (
                await rows.ReadSingleAsync<DateTimeOffset>(), (await rows.ReadAsync<Waiter>()).AsList(), await rows.ReadAsync<Live>(),
                await CheckpointHolds.ReadAsync(rows), await devices.ReadAsync(rows)));
        var known = await needs.OfAsync(session, [.. queue.Select(r => new KindOfNeeds(r.Id, r.MicroBatchLimit, r.Recompute))]);
        var world = new Snapshot(
            [.. queue.Select((r, i) => new QueuedRun(r.Id, r.Name, r.Version, (RunPriority)r.Priority, r.QueuedAt, r.NotBefore, r.Devices, known[i], r.Reason, holds.GetValueOrDefault(r.Id)))],
            pool,
            [.. attempts.Select(a => new LiveAttempt(a.Id, a.RunId, a.RunName, a.Epoch, a.WorkerId, a.DeviceIndex, (RunPriority)a.Priority, a.StopRequested, a.StepsAtRisk, a.LeaseEndsAt))],
            lossesKnown,
            store.Outage);
        return (world, now);
    }

    private sealed record Waiter(
        Guid Id, string Name, long Version, int Priority, DateTimeOffset QueuedAt, DateTimeOffset? NotBefore, string Devices, string? Reason, int? MicroBatchLimit, bool Recompute);

    private sealed record Live(
        Guid Id, Guid RunId, string RunName, long Epoch, Guid WorkerId, int DeviceIndex, int Priority, bool StopRequested, long StepsAtRisk, DateTimeOffset LeaseEndsAt);
}
