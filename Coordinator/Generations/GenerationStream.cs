using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Generations;

/// <summary>The events of one request as a stream, from whichever coordinator; ids are their numbers from 1.</summary>
public sealed class GenerationStream(NpgsqlDataSource database, DatabaseSignals signals, TimeProvider clock)
{
    // A notification can be lost with its connection, and pages call a stream lost after six quiet seconds.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    /// <summary>Events after number <paramref name="after"/> until the last; pings while nothing happens.</summary>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(Guid id, long after, [EnumeratorCancellation] CancellationToken stop)
    {
        using var grown = signals.Generation(id);
        while (true)
        {
            var next = grown.Next;
            var (batches, live) = await MoreAsync(id, after, stop);
            foreach (var (first, events) in batches)
            {
                foreach (var (e, i) in events.Select((e, i) => (e, i)).Where(e => first + e.i > after))
                {
                    after = first + i;
                    yield return Item(after, e.Name, JsonSerializer.Serialize(e, Json.Wire));
                    if (e.IsLast)
                    {
                        yield break;
                    }
                }
            }

            if (!live && batches.Count == 0)
            {
                // Ended and read to the end before, or cleared away meanwhile.
                yield break;
            }

            if (batches.Count == 0)
            {
                await Signal.WaitAsync(next, Look, clock, stop);
                if (!next.IsCompleted)
                {
                    yield return Item(after, "ping", "{}");
                }
            }
        }
    }

    // One statement, so that a request seen ended has all its events in the answer.
    private async Task<(IReadOnlyList<(long First, GenerationEvent[] Events)> Batches, bool Live)> MoreAsync(Guid id, long after, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var rows = (await session.QueryAsync<(bool Live, long? First, string? Events)>(
            """
            select g.ended_at is null as live, e.first_id as first, e.events::text as events
            from generations g left join generation_events e on e.generation_id = g.id and e.last_id > @after
            where g.id = @id order by e.first_id
            """,
            new { id, after })).ToList();
        return ([.. rows.Where(r => r.Events is not null).Select(r => (r.First!.Value, JsonSerializer.Deserialize<GenerationEvent[]>(r.Events!, Json.Wire)!))], rows is [{ Live: true }, ..]);
    }

    private static SseItem<string> Item(long id, string kind, string data) => new(data, kind) { EventId = id.ToString(CultureInfo.InvariantCulture) };
}
