using Hearth.Coordinator.Database;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Metrics;
using Hearth.Protocol;

namespace Hearth.Coordinator.Runs;

/// <summary>Keeps on the run's row what lists show of its series, so that no list has to read one.</summary>
public static class RunProgress
{
    /// <summary>Most values of the small curve beside a run.</summary>
    public const int SparklinePoints = 60;

    /// <summary>
    /// Applies a batch that was just stored, in its transaction and as its last statements. Values that did not come in it stay.
    /// The stream is told at most once a second per run.
    /// </summary>
    public static async Task ApplyAsync(DbSession session, Guid runId, IReadOnlyList<MetricChunk> chunks)
    {
        MetricChunk? Last(string key) => chunks.LastOrDefault(c => c.Key == key && c.Steps.Count > 0);
        var loss = Last("loss");
        var sparkline = loss is null ? null : await MetricReader.MeansAsync(session, runId, "loss", SparklinePoints);
        await session.ExecuteAsync(
            """
            update runs set
                step = greatest(step, @step), loss = coalesce(@loss, loss), validation_loss = coalesce(@validationLoss, validation_loss),
                tokens_per_second = coalesce(@tokensPerSecond, tokens_per_second), tokens = coalesce(@tokens, tokens), sparkline = coalesce(@sparkline, sparkline)
            where id = @runId
            """,
            new
            {
                runId,
                step = loss?.Steps[^1],
                loss = (double?)loss?.Values[^1],
                validationLoss = (double?)Last("validation_loss")?.Values[^1],
                tokensPerSecond = (double?)Last("tokens_per_second")?.Values[^1],
                tokens = (long?)Last("tokens")?.Values[^1],
                sparkline,
            });
        await TellAsync(session, runId);
    }

    /// <summary>Records how far a run's attempt reports to be, and tells the stream.</summary>
    internal static async Task StepAsync(DbSession session, Guid runId, long step)
    {
        await session.ExecuteAsync("update runs set step = greatest(step, @step) where id = @runId", new { runId, step });
        await TellAsync(session, runId);
    }

    /// <summary>Tells the stream how far a run is, unless it was told within the last second.</summary>
    private static async Task TellAsync(DbSession session, Guid runId)
    {
        int due = await session.ExecuteAsync(
            "update runs set progress_told_at = now() where id = @runId and (progress_told_at is null or progress_told_at < now() - interval '1 second')",
            new { runId });
        if (due == 1)
        {
            var row = await session.SingleAsync<RunRow>($"{RunRow.Select} where r.id = @runId", new { runId });
            await EventLog.AddAsync(session, "progress", runId, row.Summary());
        }
    }
}
