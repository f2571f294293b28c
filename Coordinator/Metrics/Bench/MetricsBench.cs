using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs.Bench;
using Hearth.Protocol;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Metrics.Bench;

/// <summary>What a kind of chart took, in milliseconds.</summary>
public sealed record ChartFigures(string Chart, double P50, double P95, double Most);

/// <param name="BytesAPoint">Of the tables with indexes and toast, after a plain vacuum.</param>
/// <param name="PackedBytesAPoint">Of each key's chunks alone, all levels.</param>
public sealed record MetricsFigures(
    long Points, int Runs, int StepsARun, double PointsASecond, double BytesAPoint, IReadOnlyDictionary<string, double> PackedBytesAPoint, IReadOnlyList<ChartFigures> Charts);

/// <summary>
/// <c>bench metrics</c>: takes points in as agents send them, by the same store, draws charts with the tail as ingestion left it, and weighs the
/// tables after the compaction of all. Needs a database of its own in <c>HEARTH_DATABASE</c>; the command line starts one.
/// </summary>
internal static class MetricsBench
{
    private const long UsualPoints = 100_000_000;
    private const int MostSteps = 1_000_000;
    // A full batch of an agent, 4,000 points: what those send that make up for an outage.
    private const int StepsABatch = 400;
    private const int Streams = 4;
    private const int Buckets = 2000;
    private const int Rounds = 20;

    private static readonly string[] Tables = ["metric_chunks", "metric_tail", "metric_heads", "metric_series", "batch_heads"];

    /// <returns>The exit code.</returns>
    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        long points = UsualPoints;
        bool json = arguments.Contains("--json");
        string[] rest = [.. arguments.Where(a => a != "--json")];
        if (rest is not [] && (rest is not ["--points", var text] || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out points) || points is < 10_000 or > 1_000_000_000))
        {
            await Console.Error.WriteLineAsync($"bench metrics does not know {string.Join(' ', rest)}. Allowed: --points 10000 to 1000000000, --json.");
            return 2;
        }

        DapperTypes.Register();
        await using var database = NpgsqlDataSource.Create(DatabaseExtensions.Settings(CoordinatorOptions.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build()).Database));
        await Migrator.RunAsync(database);
        var figures = await MeasureAsync(database, points, CancellationToken.None);
        Console.WriteLine(json ? JsonSerializer.Serialize(figures, Json.Pretty) : Table(figures));
        return 0;
    }

    private static async Task<MetricsFigures> MeasureAsync(NpgsqlDataSource database, long points, CancellationToken stop)
    {
        int steps = (int)Math.Min(MostSteps, points / BenchSeries.Keys.Length);
        int count = (int)Math.Max(1, points / ((long)steps * BenchSeries.Keys.Length));
        await using var session = await DbSession.OpenAsync(database, stop);
        var runs = await BenchRuns.PlaceAsync(session, count, steps);
        var compaction = new MetricCompaction(database);
        long began = Stopwatch.GetTimestamp();
        long taken = await IngestAsync(new MetricStore(database, compaction), runs, steps, stop);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        var charts = await ChartsAsync(new MetricReader(database), runs, steps, stop);
        foreach (var run in runs)
        {
            await compaction.CompactAsync(run.Run, stop);
        }

        await session.ExecuteAsync("vacuum analyze");
        long bytes = await session.SingleAsync<long>("select sum(pg_total_relation_size(t::regclass))::bigint from unnest(@Tables) t", new { Tables });
        var packed = await session.QueryAsync<(string Key, long Bytes)>("select key, sum(octet_length(data))::bigint from metric_chunks group by key order by key");
        return new MetricsFigures(
            taken, runs.Count, steps, taken / seconds, bytes / (double)taken, packed.ToDictionary(p => p.Key, p => p.Bytes / ((double)steps * runs.Count)), charts);
    }

    private static async Task<long> IngestAsync(MetricStore store, IReadOnlyList<BenchRun> runs, int steps, CancellationToken stop)
    {
        long taken = 0, began = Stopwatch.GetTimestamp(), whole = (long)runs.Count * steps * BenchSeries.Keys.Length;
        double start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (steps * BenchSeries.StepMilliseconds);
        using var told = new Timer(
            _ => Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{Volatile.Read(ref taken) / 1e6:N1} of {whole / 1e6:N1} million points, {Volatile.Read(ref taken) / Stopwatch.GetElapsedTime(began).TotalSeconds:N0} a second")),
            null,
            TimeSpan.FromSeconds(5),
            TimeSpan.FromSeconds(5));
        await Parallel.ForEachAsync(runs.Index(), new ParallelOptions { MaxDegreeOfParallelism = Streams, CancellationToken = stop }, async (numbered, token) =>
        {
            var series = new BenchSeries(numbered.Index, steps, start);
            long sequence = 0;
            for (int first = 1; first <= steps; first += StepsABatch)
            {
                var batch = new MetricsRequest(numbered.Item.Lease, ++sequence, series.Next(first, Math.Min(StepsABatch, steps - first + 1)), []);
                var answer = await store.AddAsync(batch, numbered.Item.Worker, token) ?? throw new InvalidOperationException("a batch of a live attempt was fenced");
                if (answer.Refused > 0)
                {
                    throw new InvalidOperationException(answer.Reasons[0]);
                }

                Interlocked.Add(ref taken, answer.Taken);
            }
        });
        return taken;
    }

    private static async Task<IReadOnlyList<ChartFigures>> ChartsAsync(MetricReader reader, IReadOnlyList<BenchRun> runs, int steps, CancellationToken stop)
    {
        var figures = new List<ChartFigures>();
        foreach (int share in new[] { 1, 4, 16, 64, 256 })
        {
            long width = steps / share;
            (string Where, long From)[] places = share == 1 ? [("whole", 0)] : [("early", 0), ("middle", (steps - width) / 2), ("tail", steps - width)];
            foreach (var (where, from) in places)
            {
                figures.Add(await ChartAsync(share == 1 ? where : $"{where} 1/{share}", ["loss"], from, from + width));
            }
        }

        figures.Add(await ChartAsync("whole, all keys", null, 0, long.MaxValue));
        return figures;

        async Task<ChartFigures> ChartAsync(string name, string[]? keys, long from, long to)
        {
            var milliseconds = new List<double>();
            for (int round = 0; round < Rounds; round++)
            {
                long began = Stopwatch.GetTimestamp();
                var answer = await reader.ReadAsync(runs[round % runs.Count].Run, keys, from, to, Buckets, stop);
                milliseconds.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                Trace.Assert(answer.Series.Count == (keys?.Length ?? BenchSeries.Keys.Length) && answer.Series[0].Steps.Count is > 0 and <= Buckets, "a chart has its series");
            }

            milliseconds.Sort();
            return new ChartFigures(name, milliseconds[Rounds / 2], milliseconds[(Rounds * 95 / 100) - 1], milliseconds[^1]);
        }
    }

    private static string Table(MetricsFigures f)
    {
        string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
        return string.Join('\n', [
            Line($"{Words.Number(f.Points)} points of {f.Runs} runs, {BenchSeries.Keys.Length} series of {Words.Number(f.StepsARun)} steps each, {StepsABatch} steps a batch, {Streams} streams at a time"),
            Line($"taken in: {f.PointsASecond:N0} points a second"),
            Line($"in PostgreSQL, with indexes: {f.BytesAPoint:N2} bytes a point"),
            "packed, bytes a point: " + string.Join(", ", f.PackedBytesAPoint.Select(p => Line($"{p.Key} {p.Value:N2}"))),
            Line($"chart in {Buckets} buckets, ms      p50      p95     most"),
            .. f.Charts.Select(c => Line($"{c.Chart,-26} {c.P50,8:N1} {c.P95,8:N1} {c.Most,8:N1}")),
        ]);
    }
}
