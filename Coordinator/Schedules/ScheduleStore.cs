using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Schedules;

/// <summary>A schedule that is switched on, as a fire needs it.</summary>
/// <param name="Since">Fires up to here are dealt with.</param>
public sealed record ArmedSchedule(Guid Id, string Spec, string Cron, string Zone, bool SkipWhileRunning, string CreatedBy, DateTimeOffset Since);

/// <summary>A run that a fire submitted.</summary>
public sealed record ScheduledRun(Guid Id, long Number, string State);

/// <summary>Schedules as rows.</summary>
public sealed class ScheduleStore(NpgsqlDataSource database)
{
    private const string Select =
        "select id, name, spec::text as spec, cron, zone, skip_while_running, enabled, created_by, created_at, armed_at, last_fire_at, last_result, last_run_id from schedules s";

    private const int LongestResult = 1000;

    /// <summary>The key under which a fire submits its run.</summary>
    public static string KeyOf(Guid schedule, DateTimeOffset fire) => $"{Prefix(schedule)}{fire.UtcDateTime.ToString("yyyy-MM-ddTHH:mm'Z'", CultureInfo.InvariantCulture)}";

    public async Task<IReadOnlyList<ScheduleView>> ListAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var now = await session.SingleAsync<DateTimeOffset>("select now()");
        return [.. (await session.QueryAsync<Row>($"{Select} order by name")).Select(r => r.View(now))];
    }

    /// <param name="schedule">Id or name.</param>
    /// <param name="stop">Ends the call.</param>
    public async Task<ScheduleView?> FindAsync(string schedule, CancellationToken stop) =>
        (await ListAsync(stop)).FirstOrDefault(s => Guid.TryParse(schedule, out var id) ? s.Id == id : s.Name == schedule);

    /// <summary>Keeps a checked schedule. False = its name is taken.</summary>
    public async Task<bool> AddAsync(Guid id, SaveSchedule schedule, string caller, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ExecuteAsync(
            """
            insert into schedules (id, name, spec, cron, zone, skip_while_running, enabled, created_by)
            values (@id, @Name, @Spec, @Cron, @Zone, @Skip, @Enabled, @caller) on conflict (name) do nothing
            """,
            Values(id, schedule, caller)) == 1;
    }

    /// <summary>Puts another in its place; the clock of the old one ends now. False = the name is another's.</summary>
    public async Task<bool> ReplaceAsync(Guid id, SaveSchedule schedule, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.ExecuteAsync(
            """
            update schedules set name = @Name, spec = @Spec, cron = @Cron, zone = @Zone, skip_while_running = @Skip, enabled = @Enabled,
                armed_at = case when (cron, zone, enabled) = (@Cron, @Zone, @Enabled) then armed_at else now() end
            where id = @id and not exists (select 1 from schedules o where o.name = @Name and o.id <> @id)
            """,
            Values(id, schedule, "")) == 1;
    }

    /// <summary>Switches it on, from now, or off.</summary>
    public async Task SwitchAsync(Guid id, bool enabled, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync("update schedules set enabled = @enabled, armed_at = now() where id = @id and enabled <> @enabled", new { id, enabled });
    }

    public async Task DeleteAsync(Guid id, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync("delete from schedules where id = @id", new { id });
    }

    /// <summary>Those that are switched on, and the database's time.</summary>
    public async Task<(IReadOnlyList<ArmedSchedule> Armed, DateTimeOffset Now)> ArmedAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var armed = await session.QueryAsync<ArmedSchedule>(
            """
            select id, spec::text as spec, cron, zone, skip_while_running, created_by, greatest(armed_at, last_fire_at) as since
            from schedules where enabled order by name
            """);
        return (armed, await session.SingleAsync<DateTimeOffset>("select now()"));
    }

    /// <summary>The run of this fire, if it was submitted before.</summary>
    public async Task<ScheduledRun?> FindRunAsync(ArmedSchedule schedule, DateTimeOffset fire, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<ScheduledRun>(
            "select id, number, state from runs where created_by = @CreatedBy and idempotency_key = @key", new { schedule.CreatedBy, key = KeyOf(schedule.Id, fire) });
    }

    /// <summary>The newest run of an earlier fire that has not ended.</summary>
    public async Task<ScheduledRun?> LiveRunAsync(ArmedSchedule schedule, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<ScheduledRun>(
            """
            select id, number, state from runs
            where idempotency_key like 'schedule:%' and idempotency_key like @all and created_by = @CreatedBy and state not in ('succeeded', 'failed', 'cancelled')
            order by number desc limit 1
            """,
            new { all = Prefix(schedule.Id) + "%", schedule.CreatedBy });
    }

    /// <summary>Notes what came of a fire, unless a later one was dealt with meanwhile.</summary>
    public async Task NoteAsync(Guid schedule, DateTimeOffset fire, string result, Guid? run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        await session.ExecuteAsync(
            """
            update schedules set last_fire_at = @fire, last_result = @result, last_run_id = @run
            where id = @schedule and (last_fire_at is null or last_fire_at < @fire)
            """,
            new { schedule, fire, result = StoredText.Of(result, LongestResult), run });
    }

    private static string Prefix(Guid schedule) => $"schedule:{schedule}:";

    private static object Values(Guid id, SaveSchedule schedule, string caller) => new
    {
        id,
        Name = schedule.Name.Trim(),
        Spec = DapperTypes.Jsonb(schedule.Spec),
        schedule.Cron,
        Zone = schedule.Zone ?? "UTC",
        Skip = schedule.SkipWhileRunning ?? true,
        Enabled = schedule.Enabled ?? true,
        caller,
    };

    private sealed record Row
    {
        public Guid Id { get; init; }
        public string Name { get; init; } = "";
        public string Spec { get; init; } = "";
        public string Cron { get; init; } = "";
        public string Zone { get; init; } = "";
        public bool SkipWhileRunning { get; init; }
        public bool Enabled { get; init; }
        public string CreatedBy { get; init; } = "";
        public DateTimeOffset CreatedAt { get; init; }
        public DateTimeOffset ArmedAt { get; init; }
        public DateTimeOffset? LastFireAt { get; init; }
        public string? LastResult { get; init; }
        public Guid? LastRunId { get; init; }

        // One that cannot be read keeps nobody from the others, nor from deleting it.
        internal ScheduleView View(DateTimeOffset now)
        {
            var clock = ScheduleClock.TryParse(Cron, Zone, out string problem);
            return Shown(Enabled ? clock?.Next(now) : null, clock is null ? $"It never comes: {problem}." : LastResult);
        }

        private ScheduleView Shown(DateTimeOffset? nextAt, string? lastResult) => new()
        {
            Id = Id,
            Name = Name,
            Spec = JsonElement.Parse(Spec),
            Cron = Cron,
            Zone = Zone,
            SkipWhileRunning = SkipWhileRunning,
            Enabled = Enabled,
            CreatedBy = CreatedBy,
            CreatedAt = CreatedAt,
            NextAt = nextAt,
            LastFireAt = LastFireAt,
            LastResult = lastResult,
            LastRunId = LastRunId,
        };
    }
}
