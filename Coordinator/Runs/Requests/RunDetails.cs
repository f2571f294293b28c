using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Database;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Runs.Requests;

/// <summary>The page of one run.</summary>
public sealed class RunDetails(NpgsqlDataSource database, CheckpointStore checkpoints)
{
    /// <summary>Everything of a run except its series; null when there is none.</summary>
    public async Task<RunDetail?> FindAsync(RunRef run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        if (await RunRow.FindAsync(session, run) is not { } row)
        {
            return null;
        }

        var spec = await session.SingleAsync<string>("select spec::text from runs where id = @Id", new { row.Id });
        var attempts = await session.QueryAsync<AttemptRow>(
            """
            select t.id, t.number, t.state, t.epoch, w.name || '/' || t.device_index as device, coalesce(d.value ->> 'model', '') as device_model, t.assigned_at,
                t.first_heartbeat_at, t.first_step_at, t.ended_at, t.first_step, t.last_step, t.forecast_bytes, t.peak_bytes, t.trace, t.message
            from attempts t join workers w on w.id = t.worker_id
            left join lateral (select value from jsonb_array_elements(w.devices) where (value ->> 'index')::int = t.device_index limit 1) d on true
            where t.run_id = @Id order by t.number
            """,
            new { row.Id });
        var notes = await session.QueryAsync<RunNote>(
            "select id, at, kind, text, step from run_notes where run_id = @Id order by id", new { row.Id });
        return new RunDetail
        {
            Summary = row.Summary(),
            Spec = JsonElement.Parse(spec),
            Attempts = [.. attempts.Select(a => a.View())],
            Checkpoints = await checkpoints.ListAsync(row.Id, stop),
            Notes = [.. notes],
            Trace = row.Trace,
            Parameters = row.Parameters,
        };
    }

    private sealed record AttemptRow
    {
        public Guid Id { get; init; }
        public int Number { get; init; }
        public AttemptState State { get; init; }
        public long Epoch { get; init; }
        public string Device { get; init; } = "";
        public string DeviceModel { get; init; } = "";
        public DateTimeOffset AssignedAt { get; init; }
        public DateTimeOffset? FirstHeartbeatAt { get; init; }
        public DateTimeOffset? FirstStepAt { get; init; }
        public DateTimeOffset? EndedAt { get; init; }
        public long FirstStep { get; init; }
        public long LastStep { get; init; }
        public long? ForecastBytes { get; init; }
        public long? PeakBytes { get; init; }
        public string? Trace { get; init; }
        public string? Message { get; init; }

        internal AttemptView View() => new()
        {
            Id = Id,
            Number = Number,
            State = State,
            Epoch = Epoch,
            Device = Device,
            DeviceModel = DeviceModel,
            AssignedAt = AssignedAt,
            FirstHeartbeatAt = FirstHeartbeatAt,
            FirstStepAt = FirstStepAt,
            EndedAt = EndedAt,
            FirstStep = FirstStep,
            LastStep = LastStep,
            ForecastBytes = ForecastBytes,
            PeakBytes = PeakBytes,
            Trace = Trace,
            Message = Message,
        };
    }
}
