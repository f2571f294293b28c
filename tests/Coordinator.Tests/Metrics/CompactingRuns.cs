using System.Runtime.InteropServices;
using Hearth.Api;
using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics;
using Hearth.Coordinator.Runs.Bench;
using Hearth.Protocol;
using Hearth.Tests.Support;
using Npgsql;
using Xunit;

namespace Hearth.Tests.Metrics;

[Collection(SharedPostgres.Name)]
public sealed class CompactingRuns(PostgresServer postgres) : IAsyncLifetime
{
    private const int Steps = 200_000;
    private static readonly long Now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
    private NpgsqlDataSource _database = null!;
    private MetricCompaction _compaction = null!;
    private MetricStore _store = null!;
    private MetricReader _reader = null!;

    public async Task InitializeAsync()
    {
        DapperTypes.Register();
        _database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await Migrator.RunAsync(_database);
        _compaction = new MetricCompaction(_database);
        (_store, _reader) = (new MetricStore(_database, _compaction), new MetricReader(_database));
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    /// <summary>The value of a step is its number, so that the mean of a bucket tells a point that is missing or there twice.</summary>
    [Fact]
    public async Task Charts_are_right_while_batches_come_twice_and_two_compactions_go_on()
    {
        const int Last = 30_000, Batch = 50;
        var run = (await PlaceAsync(1))[0];
        long acknowledged = 0;
        using var done = new CancellationTokenSource();
        async Task SendAsync()
        {
            for (int first = 1, sequence = 1; first <= Last; first += Batch, sequence++)
            {
                var batch = new MetricsRequest(run.Lease, sequence, [Line("loss", first, first + Batch - 1), Line("lr", first, first + Batch - 1)], []);
                var taken = await Task.WhenAll(_store.AddAsync(batch, run.Worker, default), _store.AddAsync(batch, run.Worker, default));
                Assert.Equal(2 * Batch, taken.Sum(t => t!.Taken));
                Volatile.Write(ref acknowledged, first + Batch - 1);
            }

            await done.CancelAsync();
        }

        async Task WhileSendingAsync(Func<Task> act)
        {
            do
            {
                await act();
            }
            while (!done.IsCancellationRequested);
        }

        async Task ReadAsync()
        {
            long least = Volatile.Read(ref acknowledged);
            var answer = await _reader.ReadAsync(run.Run, null, 0, long.MaxValue, 150, default);
            foreach (var series in answer.Series)
            {
                Check(series, least, Last);
            }

            Assert.True(least == 0 || answer.Series.Count == 2);
        }

        await Task.WhenAll(
            SendAsync(), WhileSendingAsync(() => _compaction.CompactAsync(run.Run, default)), WhileSendingAsync(() => _compaction.CompactAsync(run.Run, default)), WhileSendingAsync(ReadAsync));
        await _compaction.CompactAsync(run.Run, default);

        Assert.Equal((0L, 0L, 0L), await HeadAsync(run.Run));
        foreach (var series in (await _reader.ReadAsync(run.Run, null, 0, long.MaxValue, 150, default)).Series)
        {
            Check(series, Last, Last);
        }

        // All of it lies in chunks: four of points and one above for each of the two.
        Assert.Equal(10, await CountAsync("metric_chunks"));
    }

    [Fact]
    public async Task A_compaction_that_is_cut_short_has_done_nothing()
    {
        var run = (await PlaceAsync(1))[0];
        await _store.AddAsync(new MetricsRequest(run.Lease, 1, [Line("loss", 1, 500)], []), run.Worker, default);
        await using (var other = await DbSession.BeginAsync(_database, default))
        {
            // Whoever counts what waits is held up, and the compaction with it.
            await other.ExecuteAsync("select 1 from metric_heads for update");
            using var cut = new CancellationTokenSource();
            var compacting = _compaction.CompactAsync(run.Run, cut.Token);
            await Eventually.TrueAsync(
                async () => await CountAsync("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1, "the compaction waits");
            Assert.Equal(0, await _compaction.CompactAsync(run.Run, default));
            await cut.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => compacting);
        }

        Assert.Equal((1L, 500L, 1L), await HeadAsync(run.Run));
        Assert.Equal(500, await _compaction.CompactAsync(run.Run, default));
        Check(Assert.Single((await _reader.ReadAsync(run.Run, null, 0, long.MaxValue, 60, default)).Series), 500, 500);
    }

    [Fact]
    public async Task A_stream_that_is_faster_than_the_job_bounds_its_own_tail()
    {
        var run = (await PlaceAsync(1))[0];
        for (int batch = 0; batch < 80; batch++)
        {
            await _store.AddAsync(new MetricsRequest(run.Lease, batch + 1, [Line("loss", 1 + (1000 * batch), 1000 * (batch + 1))], []), run.Worker, default);
        }

        Assert.InRange((await HeadAsync(run.Run)).Points, 0, 1 << 16);
        Check(Assert.Single((await _reader.ReadAsync(run.Run, null, 0, long.MaxValue, 60, default)).Series), 80_000, 80_000);
    }

    [Fact]
    public async Task Bookkeeping_is_a_row_a_stream_and_run_and_tails_are_due_by_length_or_age()
    {
        var runs = await PlaceAsync(3);
        for (int batch = 0; batch < MetricCompaction.DueBatches; batch++)
        {
            await _store.AddAsync(new MetricsRequest(runs[0].Lease, batch + 1, [Line("loss", batch + 1, batch + 1)], []), runs[0].Worker, default);
        }

        await _store.AddAsync(new MetricsRequest(runs[1].Lease, 1, [Line("loss", 1, 1)], []), runs[1].Worker, default);
        await _store.AddAsync(new MetricsRequest(runs[2].Lease, 1, [Line("loss", 1, 1)], []), runs[2].Worker, default);
        await using (var session = await DbSession.OpenAsync(_database, default))
        {
            await session.ExecuteAsync("update metric_heads set since = now() - interval '6 minutes' where run_id = @Run", new { runs[2].Run });
        }

        Assert.Equal(3, await CountAsync("batch_heads"));
        Assert.Equal([runs[0].Run, runs[2].Run], await _compaction.DueAsync(default));
    }

    /// <summary>Rows as the program before migration 023 wrote them: raw columns, numbers of batches, roll-ups that are made anew.</summary>
    [Fact]
    public async Task Series_of_before_there_were_chunks_are_read_as_they_were_and_compacted()
    {
        await using var old = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await using var session = await DbSession.OpenAsync(old, default);
        await RunStepsAsync(session, number => string.CompareOrdinal(number, "023") < 0);
        var run = (await BenchRuns.PlaceAsync(session, 1, Steps))[0];
        (int Attempt, long First, long Last, float Value)[] written = [(1, 1, 9000, 1), (1, 9001, 9100, 5), (2, 8901, 9050, 2)];
        foreach (var (attempt, first, last, value) in written)
        {
            long[] steps = [.. Range(first, last)];
            await session.ExecuteAsync(
                """
                insert into metric_chunks (run_id, key, attempt, sequence, part, first_step, last_step, steps, vals, times) values
                    (@Run, 'loss', @attempt, @first, 1, @first, @last, @steps, @values, @steps), (@Run, 'lr', @attempt, @first, 2, @first, @last, @steps, @values, @steps);
                insert into batches (attempt_id, stream, sequence) values (@AttemptId, 'metrics', @first);
                insert into metric_series (run_id, key, first_step, last_step) values (@Run, 'loss', 1, 9100) on conflict do nothing
                """,
                new { run.Run, attempt, first, last, steps = Bytes(steps), values = Bytes<float>([.. steps.Select(_ => value)]), run.Lease.AttemptId });
        }

        await RunStepsAsync(session, number => string.CompareOrdinal(number, "023") >= 0);
        var (compaction, reader) = (new MetricCompaction(old), new MetricReader(old));
        var before = await reader.ReadAsync(run.Run, null, 0, long.MaxValue, 10_000, default);
        Assert.Equal([run.Run], await compaction.DueAsync(default));
        Assert.Equal(2 * 9250, await compaction.CompactAsync(run.Run, default));
        var after = await reader.ReadAsync(run.Run, null, 0, long.MaxValue, 10_000, default);
        var repeat = await new MetricStore(old, compaction).AddAsync(new MetricsRequest(run.Lease, 9001, [Line("loss", 1, 1)], []), run.Worker, default);

        Assert.Equal(["loss", "lr"], before.Series.Select(s => s.Key));
        Assert.Equal(Range(1, 9100), before.Series[0].Steps);
        Assert.Equal(Range(1, 9100), before.Series[0].UnixMilliseconds);
        Assert.Equal(Range(1, 9100).Select(s => s is >= 8901 and <= 9050 ? 2f : s > 9000 ? 5 : 1), before.Series[0].Mean);
        Assert.Equal(before.Series.SelectMany(s => s.Mean), after.Series.SelectMany(s => s.Mean));
        Assert.Equal(0, repeat!.Taken);
    }

    private static async Task RunStepsAsync(DbSession session, Predicate<string> numbers)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Directory.Packages.props")))
        {
            root = root.Parent!;
        }

        foreach (string step in Directory.EnumerateFiles(Path.Combine(root.FullName, "Coordinator/Database/Migrations"), "*.sql").Order(StringComparer.Ordinal))
        {
            if (numbers(Path.GetFileName(step).TrimStart('V')[..3]))
            {
                await session.ExecuteAsync(await File.ReadAllTextAsync(step));
            }
        }
    }

    private static void Check(MetricSeries series, long least, long most)
    {
        long last = 0;
        for (int i = 0; i < series.Steps.Count; i++)
        {
            long first = Math.Max(1, series.Steps[i] / series.BucketSteps * series.BucketSteps);
            Assert.Equal(first, series.Steps[i]);
            last = (long)series.Max[i];
            Assert.Equal((first + last) / 2f, series.Mean[i]);
            Assert.True(i == series.Steps.Count - 1 || last == (first / series.BucketSteps * series.BucketSteps) + series.BucketSteps - 1, $"bucket of {first} ends at {last}");
        }

        Assert.InRange(last, least, most);
    }

    private static IEnumerable<long> Range(long first, long last) => Enumerable.Range((int)first, (int)(last - first + 1)).Select(s => (long)s);

    private static MetricChunk Line(string key, int first, int last)
    {
        long[] steps = [.. Range(first, last)];
        return new MetricChunk(key, steps, [.. steps.Select(s => (float)s)], [.. steps.Select(s => Now + s)]);
    }

    private static byte[] Bytes<T>(T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();

    private async Task<IReadOnlyList<BenchRun>> PlaceAsync(int count)
    {
        await using var session = await DbSession.OpenAsync(_database, default);
        return await BenchRuns.PlaceAsync(session, count, Steps);
    }

    private async Task<long> CountAsync(string table)
    {
        await using var session = await DbSession.OpenAsync(_database, default);
        return await session.SingleAsync<long>($"select count(*) from {table}");
    }

    private async Task<(long Batches, long Points, long Rows)> HeadAsync(Guid run)
    {
        await using var session = await DbSession.OpenAsync(_database, default);
        return await session.SingleAsync<(long, long, long)>("select batches, points, (select count(*) from metric_tail where run_id = @run) from metric_heads where run_id = @run", new { run });
    }
}
