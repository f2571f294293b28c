using System.Text.Json;
using Dapper;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// The events of <c>/api/v1/events</c>, as rows. Written in the transaction that makes them true, so that none is told too early or
/// forgotten. Kinds are those of <see cref="StreamEvent"/>.
/// </summary>
public static class EventLog
{
    /// <summary>Rows that stay; a stream that is further behind starts anew.</summary>
    public const int Backlog = 10_000;

    // Any constant will do, as long as all writers take the same lock.
    internal const long OrderLock = 0x48656172746845;

    /// <summary>
    /// Adds an event. <b>Call it last in a transaction</b>: it takes a lock that is held to the commit, which makes ids ascend in
    /// the order of commits. Whoever waits for a row lock after it could block every other writer.
    /// </summary>
    public static Task AddAsync(NpgsqlConnection c, NpgsqlTransaction? t, string kind, Guid? runId, object? data, CancellationToken stop = default) =>
        c.ExecuteAsync(new CommandDefinition(
            $"""
            select pg_advisory_xact_lock({OrderLock});
            insert into events (kind, run_id, data) values (@kind, @runId, @data);
            notify {Channels.Events};
            """,
            new { kind, runId, data = DapperTypes.Jsonb(data ?? new { }) },
            t,
            cancellationToken: stop));

    /// <summary>As the other, in a session.</summary>
    public static Task AddAsync(DbSession session, string kind, Guid? runId, object? data) =>
        session.ExecuteAsync(
            $"""
            select pg_advisory_xact_lock({OrderLock});
            insert into events (kind, run_id, data) values (@kind, @runId, @data);
            notify {Channels.Events};
            """,
            new { kind, runId, data = DapperTypes.Jsonb(data ?? new { }) });

    internal static async Task<IReadOnlyList<StreamEvent>> ReadAsync(NpgsqlConnection c, long after, int limit, CancellationToken stop) =>
        [.. (await c.QueryAsync<EventRow>(new CommandDefinition(
            "select id, kind, run_id, data from events where id > @after order by id limit @limit", new { after, limit }, cancellationToken: stop)))
            .Select(r => new StreamEvent(r.Id, r.Kind, r.RunId, r.Data))];

    /// <summary>Least and greatest id that are there; both 0 when there is none.</summary>
    internal static Task<(long First, long Last)> RangeAsync(NpgsqlConnection c, CancellationToken stop) =>
        c.QuerySingleAsync<(long, long)>(new CommandDefinition("select coalesce(min(id), 0), coalesce(max(id), 0) from events", cancellationToken: stop));

    /// <summary>Removes what no stream will ask for any more.</summary>
    internal static Task<int> TrimAsync(NpgsqlConnection c, CancellationToken stop) =>
        c.ExecuteAsync(new CommandDefinition("delete from events where id <= (select max(id) from events) - @Backlog", new { Backlog }, cancellationToken: stop));

    private sealed record EventRow(long Id, string Kind, Guid? RunId, JsonElement Data);
}
