using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>Log lines in chunks, numbered per run in the order in which they arrived.</summary>
public sealed class LogStore(NpgsqlDataSource database)
{
    /// <summary>Stores a batch once. False = fenced.</summary>
    public async Task<bool> AddAsync(LogsRequest request, Guid worker, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var taken = await session.SingleAsync<Taken>(
            $"""
            with live as ({Fence.LiveRun}),
            batch as (
                insert into batch_heads (attempt_id, stream, last_sequence) select attempt_id, 'logs', @sequence from live where @count > 0
                {BatchHeads.WhereNew}),
            head as (
                insert into log_heads (run_id, last_id) select live.run_id, @count from batch cross join live
                on conflict (run_id) do update set last_id = log_heads.last_id + excluded.last_id
                returning run_id, last_id),
            lines as (
                insert into log_chunks (run_id, last_id, first_id, attempt, times, levels, texts)
                select head.run_id, head.last_id, head.last_id - @count + 1, live.number, @times, @levels, @texts from head cross join live)
            select (select run_id from live) as run_id, (select last_id from head) as last_id
            """,
            new
            {
                attempt = request.Lease.AttemptId,
                epoch = request.Lease.Epoch,
                worker,
                sequence = request.Sequence,
                count = (long)request.Lines.Count,
                times = request.Lines.Select(l => l.At.UtcDateTime).ToArray(),
                levels = request.Lines.Select(l => l.Level.ToString()).ToArray(),
                texts = request.Lines.Select(l => l.Text).ToArray(),
            });
        if (taken is { RunId: { } run, LastId: { } last })
        {
            await EventLog.AddAsync(session, "log", run, new { last_id = last });
        }

        await session.CommitAsync();
        return taken.RunId is not null;
    }

    /// <param name="runId">The run.</param>
    /// <param name="after">Only lines with greater ids.</param>
    /// <param name="limit">Most lines.</param>
    /// <param name="text">Only lines that contain it, in any case; null = all.</param>
    /// <param name="attempt">Only lines of the attempt with this number; null = all.</param>
    /// <param name="stop">Ends the query.</param>
    public async Task<LogsResponse> ReadAsync(Guid runId, long after, int limit, string? text, int? attempt, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);

        // A chunk has a line at least; so where every line counts, as many chunks as lines are enough.
        var lines = (await session.QueryAsync<LogEntry>(
            """
            select c.first_id + l.place - 1 as id, c.attempt, l.at, l.level, l.text
            from (
                select * from log_chunks where run_id = @runId and last_id > @after and (@attempt is null or attempt = @attempt)
                order by last_id limit case when @text is null then @limit + 1 end) c
            cross join lateral unnest(c.times, c.levels, c.texts) with ordinality as l (at, level, text, place)
            where c.first_id + l.place - 1 > @after and (@text is null or position(lower(@text) in lower(l.text)) > 0)
            order by id limit @limit + 1
            """,
            new { runId, after, limit, text, attempt })).ToList();
        return lines.Count > limit
            ? new LogsResponse(lines[..limit], lines[limit - 1].Id)
            : new LogsResponse(lines, null);
    }

    private sealed record Taken(Guid? RunId, long? LastId);
}
