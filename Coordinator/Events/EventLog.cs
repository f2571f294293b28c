using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Database;

namespace Hearth.Coordinator.Events;

/// <summary>An event to be told.</summary>
/// <param name="Kind">One of <see cref="StreamEvent"/>'s.</param>
internal sealed record NewEvent(string Kind, Guid? RunId, object Data);

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
    public static Task AddAsync(DbSession session, string kind, Guid? runId, object? data) => AddAsync(session, [new NewEvent(kind, runId, data ?? new { })]);

    /// <summary>Adds events in their order, by one statement: the lock is held no longer for many than for one.</summary>
    internal static async Task AddAsync(DbSession session, IReadOnlyList<NewEvent> events)
    {
        if (events.Count > 0)
        {
            await session.ExecuteAsync(
                $"""
                select pg_advisory_xact_lock({OrderLock});
                insert into events (kind, run_id, data)
                    select e ->> 'kind', (e ->> 'run_id')::uuid, e -> 'data' from jsonb_array_elements(@events) with ordinality as n (e, place) order by place;
                notify {Channels.Events};
                """,
                new { events = DapperTypes.Jsonb(events) });
        }
    }

    internal static async Task<IReadOnlyList<StreamEvent>> ReadAsync(DbSession session, long after, int limit) =>
        [.. (await session.QueryAsync<EventRow>(
            "select id, kind, run_id, data from events where id > @after order by id limit @limit", new { after, limit }))
            .Select(r => new StreamEvent(r.Id, r.Kind, r.RunId, r.Data))];

    /// <summary>Least and greatest id that are there; both 0 when there is none.</summary>
    internal static Task<(long First, long Last)> RangeAsync(DbSession session) =>
        session.SingleAsync<(long, long)>("select coalesce(min(id), 0), coalesce(max(id), 0) from events");

    /// <summary>Removes what no stream will ask for any more.</summary>
    internal static Task<int> TrimAsync(DbSession session) =>
        session.ExecuteAsync("delete from events where id <= (select max(id) from events) - @Backlog", new { Backlog });

    private sealed record EventRow(long Id, string Kind, Guid? RunId, JsonElement Data);
}
