using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Runs;

namespace Hearth.Coordinator.Runs;

/// <summary>A run with its latest attempt, as lists and events show it.</summary>
internal sealed record RunRow
{
    /// <summary>Columns and tables; conditions on <c>r</c> (runs) follow.</summary>
    internal const string Select =
        """
        select r.id, r.number, r.name, r.state, r.family, r.priority, r.created_by, r.created_at, r.started_at, r.ended_at, r.step, r.total_steps,
            r.tokens, r.loss, r.validation_loss, r.validation_bits_per_byte, r.tokens_per_second, r.reason, r.sparkline, r.trace, r.parameters,
            r.spec -> 'model' ->> 'size' as size, r.spec ->> 'task' as task, r.spec -> 'data' ->> 'dataset' as dataset,
            (r.spec -> 'run' -> 'tags')::text as tags, (r.spec -> 'train' ->> 'batch_tokens')::bigint as batch_tokens,
            a.device, a.device_model, a.state as attempt_state, a.starting_what, a.starting_fraction
        from runs r
        left join lateral (
            select w.name || '/' || t.device_index as device, d.value ->> 'model' as device_model, t.state, t.starting_what, t.starting_fraction
            from attempts t join workers w on w.id = t.worker_id
            left join lateral (select value from jsonb_array_elements(w.devices) where (value ->> 'index')::int = t.device_index limit 1) d on true
            where t.run_id = r.id order by t.number desc limit 1
        ) a on r.state not in ('queued', 'paused')
        """;

    public Guid Id { get; init; }
    public long Number { get; init; }
    public string Name { get; init; } = "";
    public RunState State { get; init; }
    public string Family { get; init; } = "";
    public string Size { get; init; } = "";
    public string Task { get; init; } = "";
    public string Dataset { get; init; } = "";
    public int Priority { get; init; }
    public string Tags { get; init; } = "[]";
    public string CreatedBy { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public long Step { get; init; }
    public long TotalSteps { get; init; }
    public long BatchTokens { get; init; }
    public long Tokens { get; init; }
    public double? Loss { get; init; }
    public double? ValidationLoss { get; init; }
    public double? ValidationBitsPerByte { get; init; }
    public double? TokensPerSecond { get; init; }
    public string? Reason { get; init; }
    public float[] Sparkline { get; init; } = [];
    public string? Trace { get; init; }
    public long Parameters { get; init; }
    public string? Device { get; init; }
    public string? DeviceModel { get; init; }
    public string? AttemptState { get; init; }
    public string? StartingWhat { get; init; }
    public double? StartingFraction { get; init; }

    internal static Task<RunRow?> FindAsync(DbSession session, RunRef run) =>
        session.FindAsync<RunRow>($"{Select} where {RunRef.Is}", new { id = run.Id, number = run.Number });

    internal RunSummary Summary() => new()
    {
        Id = Id,
        Number = Number,
        Name = Name,
        State = State,
        Family = Family,
        Size = Size,
        Task = Task,
        Dataset = Dataset,
        Priority = (RunPriority)Priority,
        Tags = JsonSerializer.Deserialize<string[]>(Tags) ?? [],
        CreatedBy = CreatedBy,
        CreatedAt = CreatedAt,
        StartedAt = StartedAt,
        EndedAt = EndedAt,
        Step = Step,
        TotalSteps = TotalSteps,
        Tokens = Tokens,
        Loss = Loss,
        ValidationLoss = ValidationLoss,
        ValidationBitsPerByte = ValidationBitsPerByte,
        TokensPerSecond = State == RunState.Running ? TokensPerSecond : null,
        SecondsLeft = State == RunState.Running && TokensPerSecond > 0 ? (TotalSteps - Step) * BatchTokens / TokensPerSecond : null,
        Device = Device,
        DeviceModel = DeviceModel,
        StartingWhat = State == RunState.Starting ? StartingWhat : null,
        StartingFraction = State == RunState.Starting ? StartingFraction : null,

        // A trainer that is gone while its attempt lives is waited for by somebody, who says for what.
        Reason = Reason ?? (State.IsLive() && AttemptState == "stopping" ? StartingWhat : null),
        Sparkline = Sparkline,
    };
}
