using Hearth.Api;
using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>Reads series: points where few were asked for, else roll-ups, so that a million points cost as much as a thousand.</summary>
public sealed class MetricReader(NpgsqlDataSource database)
{
    /// <param name="runId">The run.</param>
    /// <param name="keys">Which series; null = all of the run.</param>
    /// <param name="from">First step; the bucket that holds it comes whole.</param>
    /// <param name="to">Last step; likewise.</param>
    /// <param name="points">Most entries per series.</param>
    /// <param name="stop">Ends the query.</param>
    public async Task<MetricsResponse> ReadAsync(Guid runId, IReadOnlyList<string>? keys, long from, long to, int points, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var known = (await session.QueryAsync<Series>(
            "select key, first_step, last_step from metric_series where run_id = @runId and (@keys::text[] is null or key = any(@keys)) order by key",
            new { runId, keys = keys?.ToArray() })).ToList();
        var series = new List<MetricSeries>();
        foreach (var found in known)
        {
            var (size, buckets) = await BucketsAsync(session, runId, found, from, to, points);
            series.Add(Columnar(found.Key, size, buckets));
        }

        return new MetricsResponse(series);
    }

    /// <summary>Means of a whole series in at most so many buckets; empty when there is none.</summary>
    internal static async Task<float[]> MeansAsync(DbSession session, Guid runId, string key, int points)
    {
        var found = await session.FindAsync<Series>(
            "select key, first_step, last_step from metric_series where run_id = @runId and key = @key", new { runId, key });
        return found is null ? [] : [.. (await BucketsAsync(session, runId, found, 0, long.MaxValue, points)).Buckets.Select(b => b.Mean)];
    }

    /// <summary>Points that count, ascending, from the first step to the last.</summary>
    internal static async Task<IReadOnlyList<Point>> PointsAsync(
        DbSession session, Guid runId, string key, long from, long to)
    {
        var chunks = await session.QueryAsync<Chunk>(
            """
            select steps, times, vals from metric_chunks
            where run_id = @runId and key = @key and last_step >= @from and first_step <= @to order by attempt, sequence, part
            """,
            new { runId, key, from, to });
        return Bucketing.Merge(chunks.SelectMany(c => Columns.Decode(c.Steps, c.Times, c.Vals)).Where(p => p.Step >= from && p.Step <= to));
    }

    /// <summary>A whole series as (step, value); for series with a point per evaluation, not per step.</summary>
    internal static async Task<IReadOnlyList<(long Step, double Value)>> PointsAsync(
        DbSession session, Guid runId, string key) =>
        [.. (await PointsAsync(session, runId, key, 0, long.MaxValue)).Select(p => (p.Step, (double)p.Value))];

    private static async Task<(long Size, IReadOnlyList<Bucket> Buckets)> BucketsAsync(
        DbSession session, Guid runId, Series series, long from, long to, int points)
    {
        long low = Math.Max(from, series.FirstStep), high = Math.Min(to, series.LastStep);
        if (low > high)
        {
            return (1, []);
        }

        long size = Bucketing.Choose(low, high, points);
        low = low / size * size;
        high = (((high / size) + 1) * size) - 1;
        return (size, Bucketing.LevelFor(size) is { } level
            ? Bucketing.Fold(await RollupsAsync(session, runId, series.Key, level, low / level, high / level), size)
            : Bucketing.Of(await PointsAsync(session, runId, series.Key, low, high), size));
    }

    private static Task<IReadOnlyList<Bucket>> RollupsAsync(
        DbSession session, Guid runId, string key, int level, long from, long to) =>
        session.QueryAsync<Bucket>(
            """
            select bucket as index, first_step, first_time, points, total, low, high from metric_rollups
            where run_id = @runId and key = @key and level = @level and bucket between @from and @to order by bucket
            """,
            new { runId, key, level, from, to });

    private static MetricSeries Columnar(string key, long size, IReadOnlyList<Bucket> buckets) => new(
        key,
        size,
        [.. buckets.Select(b => b.FirstStep)],
        [.. buckets.Select(b => b.FirstTime)],
        [.. buckets.Select(b => b.Mean)],
        [.. buckets.Select(b => b.Low)],
        [.. buckets.Select(b => b.High)]);

    private sealed record Series(string Key, long FirstStep, long LastStep);

    private sealed record Chunk(byte[] Steps, byte[] Times, byte[] Vals);
}
