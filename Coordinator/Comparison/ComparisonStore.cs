using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Checkpoints;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Runs;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Comparison;

/// <summary>Reads what runs are compared by, each run's series as its own chart does.</summary>
public sealed class ComparisonStore(NpgsqlDataSource database, MetricReader metrics, CheckpointStore checkpoints)
{
    /// <summary>Entries of a curve, as a run's chart asks for them.</summary>
    private const int Points = 1000;

    /// <summary>The id of a run; null when there is none.</summary>
    public async Task<Guid?> FindAsync(RunRef run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.FindAsync<Guid?>($"select r.id from runs r where {RunRef.Is}", new { id = run.Id, number = run.Number });
    }

    /// <summary>Every series that one of the runs has, by name.</summary>
    public async Task<IReadOnlyList<string>> MetricsAsync(Guid[] runs, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var found = await session.QueryAsync<string>(
            "select key from metric_series where run_id = any(@runs) union select unnest(keys) from metric_tail where run_id = any(@runs)", new { runs });
        return [.. found.Order(StringComparer.Ordinal)];
    }

    /// <summary>The runs beside each other, in the order of their ids.</summary>
    public async Task<Api.Comparison> ReadAsync(Guid[] runs, string metric, CompareAxis axis, CancellationToken stop)
    {
        bool maximise = BestOfRun.Maximises(metric);
        var rows = await RowsAsync(runs, stop);
        var compared = new List<ComparedRun>();
        foreach (var row in rows)
        {
            compared.Add(await RunAsync(row, metric, maximise, axis, stop));
        }

        return new Api.Comparison
        {
            Metric = metric,
            Maximise = maximise,
            Axis = axis,
            Metrics = await MetricsAsync(runs, stop),
            Runs = compared,
            Differences = SpecDifferences.Of([.. rows.Select(r => r.Read())]),
            Notes = ComparisonNotes.Of(compared, axis),
        };
    }

    private async Task<IReadOnlyList<Row>> RowsAsync(Guid[] runs, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.QueryAsync<Row>(
            """
            select r.id, r.number, r.name, r.state, r.step, r.total_steps, r.tokens, r.spec::text as spec,
                (select f.sha256 from checkpoints c join checkpoint_files f on f.checkpoint_id = c.id and f.name in ('spm.model', 'tokenizer.json')
                    where c.run_id = r.id order by c.step desc, f.name limit 1) as tokenizer
            from unnest(@runs) with ordinality as n (id, place) join runs r on r.id = n.id order by n.place
            """,
            new { runs });
    }

    private async Task<ComparedRun> RunAsync(Row row, string metric, bool maximise, CompareAxis axis, CancellationToken stop)
    {
        string[] keys = [.. new[] { metric, "tokens", "power_watts", "validation_loss", "validation_bits_per_byte" }.Distinct(StringComparer.Ordinal)];
        var series = (await metrics.ReadAsync(row.Id, keys, 0, long.MaxValue, Points, stop)).Series.ToDictionary(s => s.Key, StringComparer.Ordinal);
        MetricSeries? Of(string key) => series.GetValueOrDefault(key);
        var places = new RunAxis(await SpansAsync(row.Id, stop), Of("tokens"), Of("power_watts"));
        var best = await BestAsync(row.Id, Of(metric), maximise, stop);
        return new ComparedRun
        {
            Id = row.Id,
            Number = row.Number,
            Name = row.Name,
            State = row.State,
            Step = row.Step,
            TotalSteps = row.TotalSteps,
            Tokens = row.Tokens,
            Seconds = places.Seconds(long.MaxValue),
            WattHours = places.WattHours(long.MaxValue),
            Best = best,
            NatsPerToken = Least(Of("validation_loss")),
            BitsPerByte = Least(Of("validation_bits_per_byte")),
            Checkpoint = best is null ? null : BestOfRun.Nearest(best.Step, await checkpoints.ListAsync(row.Id, stop)),
            Tokenizer = row.Tokenizer,
            Curve = places.Draw(Of(metric), axis),
        };
    }

    // Of an attempt that has not ended, to the database's now.
    private async Task<IReadOnlyList<TrainingSpan>> SpansAsync(Guid run, CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        var spans = await session.QueryAsync<(long From, long To)>(
            """
            select (extract(epoch from first_step_at) * 1000)::bigint, (extract(epoch from coalesce(ended_at, now())) * 1000)::bigint
            from attempts where run_id = @run and first_step_at is not null order by number
            """,
            new { run });
        return [.. spans.Select(s => new TrainingSpan(s.From, s.To))];
    }

    // An entry may be a bucket of many steps: which of them was the best is read from the bucket alone.
    private async Task<BestValue?> BestAsync(Guid run, MetricSeries? series, bool maximise, CancellationToken stop)
    {
        if (series is null || BestOfRun.Entry(series, maximise) is not { } entry)
        {
            return null;
        }

        if (series.BucketSteps > 1)
        {
            long first = series.Steps[entry] / series.BucketSteps * series.BucketSteps;
            series = (await metrics.ReadAsync(run, [series.Key], first, first + series.BucketSteps - 1, (int)Math.Min(int.MaxValue, series.BucketSteps), stop)).Series[0];
            entry = BestOfRun.Entry(series, maximise)!.Value;
        }

        return new BestValue(series.Steps[entry], maximise ? series.Max[entry] : series.Min[entry]);
    }

    private static double? Least(MetricSeries? series) => series is not null && BestOfRun.Entry(series, false) is { } entry ? series.Min[entry] : null;

    private sealed record Row
    {
        public Guid Id { get; init; }
        public long Number { get; init; }
        public string Name { get; init; } = "";
        public RunState State { get; init; }
        public long Step { get; init; }
        public long TotalSteps { get; init; }
        public long Tokens { get; init; }
        public string Spec { get; init; } = "";
        public string? Tokenizer { get; init; }

        internal RunSpec Read() => JsonSerializer.Deserialize<RunSpec>(Spec, Json.Wire)!;
    }
}
