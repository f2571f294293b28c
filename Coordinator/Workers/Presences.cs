using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Database;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Workers;

/// <summary>A worker's word that it lives, with its devices.</summary>
internal sealed record Presence(Guid Worker, SyncRequest Report);

/// <summary>What became of a presence.</summary>
/// <param name="Overtaken">A later report of the same session came; nothing was written of this one.</param>
internal sealed record NotedPresence(bool Overtaken);

/// <summary>A worker whose presence was written.</summary>
/// <param name="Id">Of the worker.</param>
/// <param name="Changed">It came back, or with other devices.</param>
/// <param name="Due">The stream was not told of it for a while.</param>
internal sealed record WrittenPresence(Guid Id, bool Changed, bool Due);

/// <summary>
/// Notes that workers live: of many in one statement, each row under the fence of its own session and report number. Whatever is more than the next
/// report of a session that goes on (its beginning, its end, an outage or refused batches to tell of) is left to a transaction of its own, and so is a row that somebody holds.
/// </summary>
internal sealed class Presences
{
    private readonly NpgsqlDataSource _database;
    private readonly WorkerStore _workers;
    private readonly Wakes _wakes;
    private readonly GroupedWrites<Presence, NotedPresence> _together;

    public Presences(NpgsqlDataSource database, WorkerStore workers, Wakes wakes) =>
        (_database, _workers, _wakes, _together) = (database, workers, wakes, new GroupedWrites<Presence, NotedPresence>(NoteAsync));

    /// <returns>Null when it was not written and is to be judged alone.</returns>
    public Task<NotedPresence?> NoteAsync(Presence presence, CancellationToken stop) =>
        presence.Report is { CutOff: null, Refused: null } ? _together.AddAsync(presence, stop) : Task.FromResult<NotedPresence?>(null);

    /// <summary>
    /// What of a batch is written: of several reports of one session the newest, which overtakes the others. Of several sessions of one worker nothing: who of them
    /// speaks is judged one by one. Pure.
    /// </summary>
    internal static IReadOnlyList<Presence> Combine(IReadOnlyList<Presence> batch) =>
        [.. batch.GroupBy(p => p.Worker).Where(same => same.DistinctBy(p => p.Report.Session?.Id).Count() == 1)
            .Select(same => same.Aggregate((newest, next) => Number(next) >= Number(newest) ? next : newest))];

    private static long Number(Presence presence) => presence.Report.Session?.Report ?? 0;

    private async Task<IReadOnlyList<NotedPresence?>> NoteAsync(IReadOnlyList<Presence> batch, CancellationToken stop)
    {
        var newest = Combine(batch);
        await using var session = await DbSession.BeginAsync(_database, stop);
        var noted = (await WriteAsync(session, newest, judged: false)).ToDictionary(n => n.Id);
        await _workers.TellAsync(session, [.. noted.Values.Where(n => n.Changed || n.Due).Select(n => n.Id)]);
        await session.CommitAsync();
        if (noted.Values.Any(n => n.Changed))
        {
            _wakes.Scheduler();
        }

        var written = newest.Where(p => noted.ContainsKey(p.Worker)).ToHashSet(ReferenceEqualityComparer.Instance);
        return [.. batch.Select(p => !noted.ContainsKey(p.Worker) ? null : new NotedPresence(!written.Contains(p)))];
    }

    /// <summary>Writes presences and gives those that were written.</summary>
    /// <param name="session">To write with.</param>
    /// <param name="presences">Each worker once.</param>
    /// <param name="judged">The caller holds the workers' rows and lets the reports in, also those that begin a session; else the fence judges, and rows that somebody holds are left out.</param>
    internal static Task<IReadOnlyList<WrittenPresence>> WriteAsync(DbSession session, IReadOnlyList<Presence> presences, bool judged) => session.QueryAsync<WrittenPresence>(
        $"""
        with old as (
            select w.id, w.devices, w.told_online, w.told_at, s.session, s.report, s.host, s.version, s.said, s.readings, s.free
            from unnest(@ids, @sessions, @reports, @hosts, @versions, @devices, @readings, @free) as s (worker, session, report, host, version, said, readings, free)
            join workers w on w.id = s.worker {(judged ? "" : "and (s.session is null or (w.session_id = s.session and w.session_report < s.report))")}
            order by w.id for no key update of w {(judged ? "" : "skip locked")})
        update workers w set seen_at = now(), agent_version = old.version, devices = old.said::jsonb, readings = old.readings::jsonb, host_free_bytes = old.free, told_online = true,
            told_at = case when old.told_at < now() - interval '5 seconds' then now() else old.told_at end,
            session_id = coalesce(old.session, w.session_id), session_report = coalesce(old.report, w.session_report), session_host = coalesce(old.host, w.session_host)
        from old where w.id = old.id
        returning w.id, old.devices <> w.devices or not old.told_online as changed, old.told_at <> w.told_at as due
        """,
        new
        {
            ids = presences.Select(p => p.Worker).ToArray(),
            sessions = presences.Select(p => p.Report.Session?.Id).ToArray(),
            reports = presences.Select(p => p.Report.Session?.Report).ToArray(),
            hosts = presences.Select(p => StoredText.Of(p.Report.Session?.Host, ReportRules.LongestName)).ToArray(),
            versions = presences.Select(p => p.Report.AgentVersion).ToArray(),
            devices = presences.Select(p => Document(p.Report.Devices)).ToArray(),
            readings = presences.Select(p => Document(p.Report.Readings)).ToArray(),
            free = presences.Select(p => p.Report.HostFreeBytes).ToArray(),
        });

    // The database's edge takes these for texts, since they are cast in the statement.
    private static string Document<T>(T value) => StoredText.OfJson(System.Text.Json.JsonSerializer.Serialize(value, Json.Wire));
}
