using Hearth.Coordinator.Database;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// Takes in metric batches: a row per chunk of columns, then the roll-ups of the buckets that the chunks touch, out of the points that
/// now count. Rolling up anew instead of adding makes repeated steps after a resume no special case.
/// </summary>
public sealed class MetricStore(NpgsqlDataSource database)
{
    /// <summary>Stores a batch once. False = fenced.</summary>
    public async Task<bool> AddAsync(MetricsRequest request, Guid worker, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        var taken = await InsertAsync(session, request, worker);
        if (taken.RunId is { } run && taken.IsNew)
        {
            await RollUpAsync(session, run, request.Chunks);
            await RunProgress.ApplyAsync(session, run, request.Chunks);
        }

        await session.CommitAsync();
        return taken.RunId is not null;
    }

    private static Task<Taken> InsertAsync(DbSession session, MetricsRequest request, Guid worker)
    {
        var chunks = request.Chunks.Where(c => c.Steps.Count > 0).ToList();
        return session.SingleAsync<Taken>(
            $"""
            with live as ({Fence.LiveRun}),
            batch as (
                insert into batches (attempt_id, stream, sequence) select attempt_id, 'metrics', @sequence from live
                on conflict do nothing returning 1),
            points as (
                insert into metric_chunks (run_id, key, attempt, sequence, part, first_step, last_step, steps, vals, times)
                select live.run_id, c.key, live.number, @sequence, c.part, c.first_step, c.last_step, c.steps, c.vals, c.times
                from batch cross join live
                cross join unnest(@keys, @firsts, @lasts, @steps, @vals, @times) with ordinality as c (key, first_step, last_step, steps, vals, times, part)),
            series as (
                insert into metric_series (run_id, key, first_step, last_step)
                select live.run_id, c.key, min(c.first_step), max(c.last_step)
                from batch cross join live cross join unnest(@keys, @firsts, @lasts) as c (key, first_step, last_step)
                group by live.run_id, c.key order by c.key
                on conflict (run_id, key) do update set
                    first_step = least(metric_series.first_step, excluded.first_step), last_step = greatest(metric_series.last_step, excluded.last_step)),
            texts as (
                insert into samples (run_id, attempt, step, prompt, text)
                select live.run_id, live.number, s.step, s.prompt, s.text
                from batch cross join live cross join unnest(@sampleSteps, @prompts, @texts) as s (step, prompt, text))
            select (select run_id from live) as run_id, exists (select 1 from batch) as is_new
            """,
            new
            {
                attempt = request.Lease.AttemptId,
                epoch = request.Lease.Epoch,
                worker,
                sequence = request.Sequence,
                keys = chunks.Select(c => c.Key).ToArray(),
                firsts = chunks.Select(c => c.Steps[0]).ToArray(),
                lasts = chunks.Select(c => c.Steps[^1]).ToArray(),
                steps = chunks.Select(c => Columns.Encode(c.Steps)).ToArray(),
                vals = chunks.Select(c => Columns.Encode(c.Values)).ToArray(),
                times = chunks.Select(c => Columns.Encode(c.UnixMilliseconds)).ToArray(),
                sampleSteps = request.Samples.Select(s => s.Step).ToArray(),
                prompts = request.Samples.Select(s => Text.Storable(s.Prompt)).ToArray(),
                texts = request.Samples.Select(s => Text.Storable(s.Text)).ToArray(),
            });
    }

    private static async Task RollUpAsync(DbSession session, Guid run, IReadOnlyList<MetricChunk> chunks)
    {
        int least = Bucketing.Levels[0];
        var touched = chunks.Where(c => c.Steps.Count > 0).GroupBy(c => c.Key, StringComparer.Ordinal)
            .Select(g => (Key: g.Key, Low: g.Min(c => c.Steps[0]), High: g.Max(c => c.Steps[^1]))).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        var rows = new List<(string Key, Bucket Bucket)>();
        foreach (var (key, low, high) in touched)
        {
            var points = await MetricReader.PointsAsync(session, run, key, low / least * least, (((high / least) + 1) * least) - 1);
            rows.AddRange(Bucketing.Of(points, least).Select(b => (key, b)));
        }

        await session.ExecuteAsync(
            """
            insert into metric_rollups (run_id, key, level, bucket, first_step, first_time, points, total, low, high)
            select @run, b.* from unnest(@keys, @levels, @buckets, @firsts, @times, @points, @totals, @lows, @highs) as b
            on conflict (run_id, key, level, bucket) do update set
                first_step = excluded.first_step, first_time = excluded.first_time, points = excluded.points,
                total = excluded.total, low = excluded.low, high = excluded.high
            """,
            new
            {
                run,
                keys = rows.Select(r => r.Key).ToArray(),
                levels = rows.Select(_ => least).ToArray(),
                buckets = rows.Select(r => r.Bucket.Index).ToArray(),
                firsts = rows.Select(r => r.Bucket.FirstStep).ToArray(),
                times = rows.Select(r => r.Bucket.FirstTime).ToArray(),
                points = rows.Select(r => r.Bucket.Points).ToArray(),
                totals = rows.Select(r => r.Bucket.Total).ToArray(),
                lows = rows.Select(r => r.Bucket.Low).ToArray(),
                highs = rows.Select(r => r.Bucket.High).ToArray(),
            });
        foreach (int level in Bucketing.Levels.Skip(1))
        {
            await CascadeAsync(session, run, touched, level);
        }
    }

    // As Bucketing.Fold does it, in the database: each bucket of a level out of the four below it.
    private static Task CascadeAsync(DbSession session, Guid run, List<(string Key, long Low, long High)> touched, int level) =>
        session.ExecuteAsync(
            """
            insert into metric_rollups (run_id, key, level, bucket, first_step, first_time, points, total, low, high)
            select r.run_id, r.key, @level, r.bucket / 4, min(r.first_step), (array_agg(r.first_time order by r.bucket))[1], sum(r.points), sum(r.total),
                coalesce(min(r.low) filter (where r.low <> 'NaN'), 'NaN'), coalesce(max(r.high) filter (where r.high <> 'NaN'), 'NaN')
            from unnest(@keys, @lows, @highs) as t (key, low, high)
            join metric_rollups r on r.run_id = @run and r.key = t.key and r.level = @level / 4 and r.bucket between t.low and t.high
            group by r.run_id, r.key, r.bucket / 4
            on conflict (run_id, key, level, bucket) do update set
                first_step = excluded.first_step, first_time = excluded.first_time, points = excluded.points,
                total = excluded.total, low = excluded.low, high = excluded.high
            """,
            new
            {
                run,
                level,
                keys = touched.Select(t => t.Key).ToArray(),
                lows = touched.Select(t => t.Low / level * 4).ToArray(),
                highs = touched.Select(t => (t.High / level * 4) + 3).ToArray(),
            });

    private sealed record Taken(Guid? RunId, bool IsNew);
}
