using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics.Storage;
using Hearth.Coordinator.Runs;
using Hearth.Protocol;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// Takes in metric batches: one statement asks what the attempt may write, one writes a row for the whole batch. What stands in that row
/// is put into chunks later (<see cref="MetricCompaction"/>).
/// </summary>
public sealed class MetricStore(NpgsqlDataSource database, MetricCompaction compaction)
{
    // A tail is read whole for every chart of its run, so it is bounded though no job should ever run.
    private const long MostBatches = 512;
    private const long MostPoints = 1 << 16;

    /// <summary>Stores a batch once. A stream's batches come in the order of their numbers, so that the greatest that was taken tells a repeat.</summary>
    /// <returns>What was taken of it; null when fenced.</returns>
    public async Task<MetricsTaken?> AddAsync(MetricsRequest request, Guid worker, CancellationToken stop)
    {
        Guid run;
        CheckedBatch batch;
        Stored? stored;
        await using (var session = await DbSession.BeginAsync(database, stop))
        {
            if (await PlaceAsync(session, request.Lease, worker) is not { } place)
            {
                return null;
            }

            run = place.RunId;
            batch = PointRules.Check(request, new AttemptBounds(place.FirstStep, place.TotalSteps, place.Began, place.Now));
            stored = await InsertAsync(session, request, place, batch);
            if (stored is { Due: true })
            {
                await RunProgress.TellAsync(session, run, await MetricReader.SparklineAsync(session, run));
            }

            await session.CommitAsync();
        }

        if (stored is null)
        {
            return new MetricsTaken(0, 0, []);
        }

        if (stored.Batches >= MostBatches || stored.Points >= MostPoints)
        {
            await compaction.CompactAsync(run, stop);
        }

        return new MetricsTaken(batch.Chunks.Sum(c => c.Steps.Count) + batch.Samples.Count, batch.Refused, batch.Reasons);
    }

    /// <summary>Holds the run and its live attempt to the end of the transaction; null when fenced. Both times are the database's.</summary>
    private static Task<Place?> PlaceAsync(DbSession session, Lease lease, Guid worker) => session.FindAsync<Place>(
        $"""
        with live as ({Fence.LiveRun})
        select live.run_id, live.number, a.first_step, r.total_steps,
            (extract(epoch from a.assigned_at) * 1000)::bigint as began, (extract(epoch from clock_timestamp()) * 1000)::bigint as now
        from live join attempts a on a.id = live.attempt_id join runs r on r.id = live.run_id
        """,
        new { attempt = lease.AttemptId, epoch = lease.Epoch, worker });

    /// <summary>Null when the batch was taken before.</summary>
    private static Task<Stored?> InsertAsync(DbSession session, MetricsRequest request, Place place, CheckedBatch batch)
    {
        var last = LastValues.Of(batch.Chunks);
        return session.FindAsync<Stored>(
            $"""
            with head as (
                insert into batch_heads (attempt_id, stream, last_sequence) values (@attempt, 'metrics', @sequence)
                {BatchHeads.WhereNew}),
            tail as (
                insert into metric_tail (run_id, attempt, points, keys, chunks) select @run, @number, @points, @keys, @chunks from head where @points > 0),
            waiting as (
                insert into metric_heads (run_id, batches, points, since) select @run, 1, @points, now() from head where @points > 0
                on conflict (run_id) do update set
                    batches = metric_heads.batches + 1, points = metric_heads.points + excluded.points, since = coalesce(metric_heads.since, excluded.since)
                returning batches, points),
            texts as (
                insert into samples (run_id, attempt, step, prompt, text)
                select @run, @number, s.step, s.prompt, s.text from head cross join unnest(@sampleSteps, @prompts, @texts) as s (step, prompt, text)),
            progress as ({RunProgress.Advance})
            select coalesce((select due from progress), false) as due, (select batches from waiting) as batches, (select points from waiting) as points from head
            """,
            new
            {
                attempt = request.Lease.AttemptId,
                sequence = request.Sequence,
                run = place.RunId,
                number = place.Number,
                points = batch.Chunks.Sum(c => c.Steps.Count),
                keys = batch.Chunks.Select(c => c.Key).ToArray(),
                chunks = batch.Chunks.Select(c => ChunkCodec.OfPoints(Points(c, place.Number))).ToArray(),
                sampleSteps = batch.Samples.Select(s => s.Step).ToArray(),
                prompts = batch.Samples.Select(s => s.Prompt).ToArray(),
                texts = batch.Samples.Select(s => s.Text).ToArray(),
                last.Step,
                last.Loss,
                last.ValidationLoss,
                last.BitsPerByte,
                last.TokensPerSecond,
                last.Tokens,
            });
    }

    private static Point[] Points(MetricChunk chunk, int attempt)
    {
        var points = new Point[chunk.Steps.Count];
        for (int i = 0; i < points.Length; i++)
        {
            points[i] = new Point(chunk.Steps[i], chunk.UnixMilliseconds[i], chunk.Values[i], attempt);
        }

        return points;
    }

    private sealed record Place(Guid RunId, int Number, long FirstStep, long TotalSteps, long Began, long Now);

    private sealed record Stored(bool Due, long? Batches, long? Points);
}
