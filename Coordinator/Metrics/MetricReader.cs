using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics.Storage;
using Hearth.Coordinator.Runs;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// Reads series out of their chunks and of the tail that waits beside them: points where few were asked for, else the coarsest buckets that
/// suffice, so that a chart of a million points reads as much as one of a thousand. Three statements for any number of keys.
/// </summary>
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
        var views = await ViewsAsync(session, runId, keys?.ToArray(), new StepRange(from, to), points);
        return new MetricsResponse([.. views.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => Columnar(v.Key, v.Value.Size, v.Value.Buckets()))]);
    }

    /// <summary>The small curve beside a run: means of its whole loss; empty when there is none.</summary>
    internal static async Task<float[]> SparklineAsync(DbSession session, Guid runId) =>
        [.. (await WholeAsync(session, runId, "loss", RunProgress.SparklinePoints)).Select(b => b.Mean)];

    /// <summary>A whole series as (step, value); for series with a point per evaluation, not per step.</summary>
    internal static async Task<IReadOnlyList<(long Step, double Value)>> PointsAsync(DbSession session, Guid runId, string key) =>
        [.. (await WholeAsync(session, runId, key, int.MaxValue)).Select(b => (b.FirstStep, (double)b.Mean))];

    private static async Task<IReadOnlyList<Bucket>> WholeAsync(DbSession session, Guid runId, string key, int points) =>
        (await ViewsAsync(session, runId, [key], new StepRange(0, long.MaxValue), points)).TryGetValue(key, out var view) ? view.Buckets() : [];

    private static async Task<IReadOnlyDictionary<string, SeriesView>> ViewsAsync(DbSession session, Guid runId, string[]? keys, StepRange asked, int points)
    {
        var tail = (await ChunkTables.TailAsync(session, runId, keys)).ToLookup(c => c.Key, StringComparer.Ordinal);
        var stored = await ChunkTables.SeriesAsync(session, runId, keys);
        var views = tail.Select(t => t.Key).Union(stored.Keys, StringComparer.Ordinal).ToDictionary(
            key => key,
            key => SeriesView.Of(stored.TryGetValue(key, out var steps) ? steps : null, [.. tail[key].SelectMany(c => c.Points())], asked, points),
            StringComparer.Ordinal);
        var trees = views.ToDictionary(v => v.Key, v => v.Value.Tree, StringComparer.Ordinal);
        await ChunkTables.LoadAsync(session, runId, trees, views.SelectMany(v => v.Value.Needs().Select(n => (v.Key, n))));
        return views;
    }

    private static MetricSeries Columnar(string key, long size, IReadOnlyList<Bucket> buckets) => new(
        key,
        size,
        [.. buckets.Select(b => b.FirstStep)],
        [.. buckets.Select(b => b.FirstTime)],
        [.. buckets.Select(b => b.Mean)],
        [.. buckets.Select(b => b.Low)],
        [.. buckets.Select(b => b.High)]);
}
