using Hearth.Coordinator.Database;
using Hearth.Coordinator.Jobs;
using Hearth.Coordinator.Runs;
using Hearth.Runs;
using Npgsql;

namespace Hearth.Coordinator.Metrics;

/// <summary>The turns of <see cref="MetricCompaction"/>. A stream that is faster than they come compacts its run itself (<see cref="MetricStore"/>).</summary>
internal sealed class CompactionJob(MetricCompaction compaction, NpgsqlDataSource database) : IRecurringJob
{
    public string Name => "metric-compaction";

    public string Does => "Puts the points that runs sent in many small batches into large packed chunks, with coarser levels for charts.";

    public string Cron => "* * * * *";

    public async Task<string> RunAsync(CancellationToken stop)
    {
        var due = await compaction.DueAsync(stop);
        long points = 0;
        foreach (var run in due)
        {
            points += await compaction.CompactAsync(run, stop);
            await using var session = await DbSession.OpenAsync(database, stop);
            await RunProgress.DrawAsync(session, run, await MetricReader.SparklineAsync(session, run));
        }

        return due.Count == 0 ? "No run had points enough that wait." : $"Compacted {Words.Number(points)} points of {Words.Number(due.Count)} runs.";
    }
}
