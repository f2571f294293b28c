using System.Text.Json;
using Dapper;
using Hearth.Coordinator.Blobs;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Scheduling;
using Hearth.Coordinator.Workers;
using Hearth.Models;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>Reads the world in one transaction, with the database's clock, which all coordinators share.</summary>
public sealed class SnapshotReader(NpgsqlDataSource database, CoordinatorOptions options, StoreWatch store)
{
    // A spec never changes, and a forecast costs more than a row: both are kept while the run is in the queue or live.
    private Dictionary<Guid, (int? Limit, bool Recompute, RunNeeds Needs)> _needs = [];

    public async Task<(Snapshot World, DateTimeOffset Now)> ReadAsync(bool lossesKnown, CancellationToken stop)
    {
        await using var connection = await database.OpenConnectionAsync(stop);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, stop);
        var now = await connection.ExecuteScalarAsync<DateTime>(new CommandDefinition("select now()", transaction: transaction, cancellationToken: stop));
        var runs = (await connection.QueryAsync<Row>(new CommandDefinition(
            """
            select id, name, state, version, priority, queued_at, not_before, spec -> 'run' ->> 'devices' as devices, micro_batch_limit, recompute
            from runs r where state not in ('paused', 'succeeded', 'failed', 'cancelled')
                or exists (select 1 from attempts a where a.run_id = r.id and a.ended_at is null)
            """,
            transaction: transaction,
            cancellationToken: stop))).ToList();
        var devices = await WorkerStore.DevicesAsync(connection, transaction, options.Lease.TotalSeconds, stop);
        var attempts = (await connection.QueryAsync<LiveRow>(new CommandDefinition(
            """
            select a.id, a.run_id, a.epoch, a.worker_id, a.device_index, r.priority, a.stop_requested,
                a.last_step - greatest(a.first_step, coalesce((select max(c.step) from checkpoints c where c.run_id = a.run_id and c.status = 'kept' and c.step <= a.last_step), 0)) as steps_at_risk, a.lease_ends_at
            from attempts a join runs r on r.id = a.run_id where a.ended_at is null
            """,
            transaction: transaction,
            cancellationToken: stop))).ToList();
        await LearnAsync(connection, transaction, runs, stop);
        var holds = await CheckpointHolds.ReadAsync(connection, transaction, stop);
        var world = new Snapshot(
            [.. runs.Select(r => new QueuedRun(r.Id, r.Name, r.State, r.Version, (RunPriority)r.Priority, r.QueuedAt, r.NotBefore, r.Devices ?? "", _needs[r.Id].Needs, holds.GetValueOrDefault(r.Id)))],
            devices,
            [.. attempts.Select(a => new LiveAttempt(a.Id, a.RunId, a.Epoch, a.WorkerId, a.DeviceIndex, (RunPriority)a.Priority, a.StopRequested, a.StepsAtRisk, a.LeaseEndsAt))],
            lossesKnown,
            store.Outage);
        return (world, new DateTimeOffset(now, TimeSpan.Zero));
    }

    private async Task LearnAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, List<Row> runs, CancellationToken stop)
    {
        bool Known(Row run) => _needs.TryGetValue(run.Id, out var needs) && (needs.Limit, needs.Recompute) == (run.MicroBatchLimit, run.Recompute);
        var unknown = runs.Where(r => !Known(r)).ToDictionary(r => r.Id);
        var specs = await connection.QueryAsync<(Guid Id, string Spec)>(new CommandDefinition(
            "select id, spec::text from runs where id = any(@ids)", new { ids = unknown.Keys.ToArray() }, transaction, cancellationToken: stop));
        var learned = specs.ToDictionary(s => s.Id, s => Forecast(JsonSerializer.Deserialize<RunSpec>(s.Spec, Json.Wire)!, unknown[s.Id]));
        _needs = runs.ToDictionary(r => r.Id, r => learned.TryGetValue(r.Id, out var needs) ? (r.MicroBatchLimit, r.Recompute, needs) : _needs[r.Id]);
    }

    // A run of an older or newer version waits with its reason; it must not stop the queue.
    private static RunNeeds Forecast(RunSpec spec, Row run)
    {
        spec = run.Recompute ? spec.Recomputing() : spec;
        var errors = new List<FieldError>();
        return Families.Plan(spec.Model, errors) is { } plan
            ? new ModelNeeds(plan.Under(spec.Train, spec.Optimizer), spec, run.MicroBatchLimit)
            : new Unbuildable($"This version cannot build its model: {string.Join(' ', errors.Select(e => e.Message))}");
    }

    private sealed record Row(Guid Id, string Name, RunState State, long Version, int Priority, DateTimeOffset QueuedAt, DateTimeOffset? NotBefore, string? Devices, int? MicroBatchLimit, bool Recompute);

    private sealed record LiveRow(Guid Id, Guid RunId, long Epoch, Guid WorkerId, int DeviceIndex, int Priority, bool StopRequested, long StepsAtRisk, DateTimeOffset LeaseEndsAt);
}
