using Hearth.Coordinator.Database;

namespace Hearth.Coordinator.Metrics.Storage;

/// <summary>Points of one key that came in one batch.</summary>
/// <param name="Id">Of the batch's row; they ascend as a run's batches came.</param>
internal sealed record ArrivedChunk(long Id, int Attempt, string Key, byte[] Chunk)
{
    internal IEnumerable<Point> Points() => ChunkCodec.Points(Chunk, Attempt);
}

/// <summary>
/// The rows of series. Batches wait in <c>metric_tail</c>, a row each, until a compaction puts them into <c>metric_chunks</c> and says in
/// <c>metric_series</c> how far those reach. Whoever reads takes the tail first, then the series, then chunks: what is compacted in between
/// is then seen twice, which comes to the same as once, and never not at all.
/// </summary>
internal static class ChunkTables
{
    /// <summary>What waits, in the order of arrival.</summary>
    /// <param name="session">Of the caller.</param>
    /// <param name="run">The run.</param>
    /// <param name="keys">Which series; null = all.</param>
    /// <param name="most">Batches are taken until there are so many points.</param>
    internal static Task<IReadOnlyList<ArrivedChunk>> TailAsync(DbSession session, Guid run, string[]? keys, long most = long.MaxValue) =>
        session.QueryAsync<ArrivedChunk>(
            """
            select t.id, t.attempt, c.key, c.chunk
            from (select *, sum(points) over (order by id) - points as before from metric_tail where run_id = @run) t
            cross join lateral unnest(t.keys, t.chunks) with ordinality as c (key, chunk, part)
            where t.before < @most and (@keys::text[] is null or c.key = any(@keys))
            order by t.id, c.part
            """,
            new { run, keys, most });

    /// <summary>What steps the chunks of series hold, by key.</summary>
    internal static async Task<IReadOnlyDictionary<string, StepRange>> SeriesAsync(DbSession session, Guid run, string[]? keys) =>
        (await session.QueryAsync<(string Key, long First, long Last)>(
            "select key, first_step, last_step from metric_series where run_id = @run and (@keys::text[] is null or key = any(@keys))", new { run, keys }))
        .ToDictionary(s => s.Key, s => new StepRange(s.First, s.Last), StringComparer.Ordinal);

    /// <summary>Gives each tree its chunks, those of all series by one statement.</summary>
    internal static async Task LoadAsync(DbSession session, Guid run, IReadOnlyDictionary<string, SeriesTree> trees, IEnumerable<(string Key, ChunkRange Range)> needs)
    {
        var wanted = needs.Distinct().ToList();
        if (wanted.Count == 0)
        {
            return;
        }

        var rows = await session.QueryAsync<(string Key, int Level, long Chunk, byte[] Data)>(
            """
            select c.key, c.level, c.chunk, c.data from unnest(@keys, @levels, @firsts, @lasts) as w (key, level, first, last)
            join metric_chunks c on c.run_id = @run and c.key = w.key and c.level = w.level and c.chunk between w.first and w.last
            """,
            new
            {
                run,
                keys = wanted.Select(w => w.Key).ToArray(),
                levels = wanted.Select(w => w.Range.Level).ToArray(),
                firsts = wanted.Select(w => w.Range.First).ToArray(),
                lasts = wanted.Select(w => w.Range.Last).ToArray(),
            });
        foreach (var (key, level, chunk, data) in rows)
        {
            trees[key].Load(level, chunk, data);
        }
    }

    /// <summary>Stores what changed in trees, and takes their batches, up to a row, out of the tail.</summary>
    internal static async Task ReplaceAsync(DbSession session, Guid run, IReadOnlyDictionary<string, SeriesTree> trees, long lastTaken)
    {
        var rows = trees.SelectMany(t => t.Value.Changed().Select(c => (t.Key, c.Level, c.Chunk, c.Data))).ToList();
        var series = trees.Select(t => (t.Key, Steps: t.Value.Steps!.Value)).ToList();
        await session.ExecuteAsync(
            """
            insert into metric_chunks (run_id, key, level, chunk, data) select @run, c.* from unnest(@keys, @levels, @chunks, @data) as c
            on conflict (run_id, key, level, chunk) do update set data = excluded.data;
            insert into metric_series (run_id, key, first_step, last_step) select @run, s.* from unnest(@series, @firsts, @lasts) as s
            on conflict (run_id, key) do update set first_step = excluded.first_step, last_step = excluded.last_step;
            with gone as (delete from metric_tail where run_id = @run and id <= @lastTaken returning points)
            update metric_heads h set batches = h.batches - g.batches, points = h.points - g.points, since = case when h.batches > g.batches then now() end
            from (select count(*) as batches, sum(points) as points from gone) g where h.run_id = @run and g.batches > 0
            """,
            new
            {
                run,
                lastTaken,
                keys = rows.Select(r => r.Key).ToArray(),
                levels = rows.Select(r => r.Level).ToArray(),
                chunks = rows.Select(r => r.Chunk).ToArray(),
                data = rows.Select(r => r.Data).ToArray(),
                series = series.Select(s => s.Key).ToArray(),
                firsts = series.Select(s => s.Steps.First).ToArray(),
                lasts = series.Select(s => s.Steps.Last).ToArray(),
            });
    }
}
