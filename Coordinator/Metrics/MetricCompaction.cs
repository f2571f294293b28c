using Hearth.Coordinator.Database;
using Hearth.Coordinator.Metrics.Storage;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>
/// Puts the batches of a run into its chunks. One compaction of a run at a time, under a lock that neither ingestion nor reading takes; batches
/// that come meanwhile stay in the tail. Cut short anywhere it has done nothing.
/// </summary>
public sealed class MetricCompaction(NpgsqlDataSource database)
{
    /// <summary>A tail of so many batches is worth the rewriting of each series' last chunk.</summary>
    internal const int DueBatches = 64;

    /// <summary>A shorter one is compacted when it has waited for so long.</summary>
    internal static readonly TimeSpan DueAfter = TimeSpan.FromMinutes(5);

    // Of one transaction, so that the tail of a whole run of before there were chunks does not come into memory at once.
    private const long MostPoints = 1 << 18;

    // Any constant will do; the second half of the key is the run's.
    private const int LockClass = 0x4D657472;

    /// <summary>Runs whose tail is due, the longest first.</summary>
    public async Task<IReadOnlyList<Guid>> DueAsync(CancellationToken stop)
    {
        await using var session = await DbSession.OpenAsync(database, stop);
        return await session.QueryAsync<Guid>(
            "select run_id from metric_heads where batches >= @DueBatches or (batches > 0 and since < now() - make_interval(secs => @seconds)) order by points desc",
            new { DueBatches, seconds = DueAfter.TotalSeconds });
    }

    /// <summary>Compacts what waits of a run; batches that come in the meantime may be left.</summary>
    /// <returns>How many points were taken out of the tail; 0 also where another one is at it.</returns>
    public async Task<long> CompactAsync(Guid run, CancellationToken stop)
    {
        long points = 0;
        while (await CompactPartAsync(run, stop) is var (taken, more))
        {
            points += taken;
            if (!more)
            {
                break;
            }
        }

        return points;
    }

    private async Task<(long Points, bool More)> CompactPartAsync(Guid run, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(database, stop);
        if (!await session.SingleAsync<bool>("select pg_try_advisory_xact_lock(@LockClass, hashtext(@run::text))", new { LockClass, run }))
        {
            return (0, false);
        }

        var tail = await ChunkTables.TailAsync(session, run, null, MostPoints);
        if (tail.Count == 0)
        {
            return (0, false);
        }

        var arrived = tail.GroupBy(c => c.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.SelectMany(c => c.Points()).ToList(), StringComparer.Ordinal);
        var stored = await ChunkTables.SeriesAsync(session, run, [.. arrived.Keys]);
        var trees = arrived.ToDictionary(a => a.Key, a => new SeriesTree(stored.TryGetValue(a.Key, out var steps) ? steps : null, a.Value), StringComparer.Ordinal);
        await ChunkTables.LoadAsync(session, run, trees, trees.SelectMany(t => t.Value.Needs(Level(t.Value)).Select(n => (t.Key, n))));
        foreach (var tree in trees.Values)
        {
            tree.Grow(Level(tree));
        }

        await ChunkTables.ReplaceAsync(session, run, trees, tail[^1].Id);
        await session.CommitAsync();
        long points = arrived.Values.Sum(p => (long)p.Count);
        return (points, points >= MostPoints);
    }

    private static int Level(SeriesTree tree) => ChunkGrid.Depth(tree.Steps!.Value);
}
