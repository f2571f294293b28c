using Hearth.Coordinator.Database;
using Hearth.Coordinator.Events;
using Hearth.Protocol;

namespace Hearth.Coordinator.Runs;

/// <summary>The last values of a batch that a run's row shows; null for those that are not in it.</summary>
internal sealed record LastValues(long? Step, double? Loss, double? ValidationLoss, double? BitsPerByte, double? TokensPerSecond, long? Tokens)
{
    internal static LastValues Of(IReadOnlyList<MetricChunk> chunks)
    {
        MetricChunk? Last(string key) => chunks.LastOrDefault(c => c.Key == key && c.Steps.Count > 0);
        var loss = Last("loss");
        return new LastValues(
            loss?.Steps[^1], loss?.Values[^1], Last("validation_loss")?.Values[^1], Last("validation_bits_per_byte")?.Values[^1],
            Last("tokens_per_second")?.Values[^1], (long?)Last("tokens")?.Values[^1]);
    }
}

/// <summary>Keeps on the run's row what lists show of its series, so that no list has to read one.</summary>
public static class RunProgress
{
    /// <summary>Most values of the small curve beside a run.</summary>
    public const int SparklinePoints = 60;

    private const string Due = "progress_told_at is null or progress_told_at < now() - interval '1 second'";

    /// <summary>
    /// Part of the statement that stores a batch, behind a <c>head</c> that has a row when the batch is new. Parameters: <c>@run</c> and those of <see cref="LastValues"/>;
    /// values that did not come in it stay. Gives <c>due</c>: whether the stream is to be told, at most once a second and run.
    /// </summary>
    internal const string Advance =
        $"""
        update runs r set
            step = greatest(r.step, @Step), loss = coalesce(@Loss, r.loss), validation_loss = coalesce(@ValidationLoss, r.validation_loss),
            validation_bits_per_byte = coalesce(@BitsPerByte, r.validation_bits_per_byte),
            tokens_per_second = coalesce(@TokensPerSecond, r.tokens_per_second), tokens = coalesce(@Tokens, r.tokens),
            progress_told_at = case when old.due then now() else r.progress_told_at end
        from head, (select {Due} as due from runs where id = @run) old
        where r.id = @run returning old.due
        """;

    /// <summary>Keeps the curve and tells the stream, as the last statements of a transaction.</summary>
    internal static async Task TellAsync(DbSession session, Guid runId, float[] sparkline)
    {
        await DrawAsync(session, runId, sparkline);
        await SayAsync(session, runId);
    }

    /// <summary>Keeps the curve beside a run, at most <see cref="SparklinePoints"/> of its losses.</summary>
    internal static Task DrawAsync(DbSession session, Guid runId, float[] sparkline) =>
        session.ExecuteAsync("update runs set sparkline = @sparkline where id = @runId and sparkline <> @sparkline", new { runId, sparkline });

    /// <summary>Records how far the attempts of runs report to be, which is no further than the run goes, and tells the stream of those that it was not told of within the last second.</summary>
    /// <param name="session">A transaction; these are its last statements.</param>
    /// <param name="steps">Each run once.</param>
    /// <param name="wait">For rows that somebody holds; else they are left out.</param>
    /// <returns>The runs that were recorded.</returns>
    internal static async Task<IReadOnlySet<Guid>> StepsAsync(DbSession session, IReadOnlyList<ReportedStep> steps, bool wait)
    {
        var recorded = await session.QueryAsync<Recorded>(
            $"""
            with old as (
                select r.id, least(s.step, r.total_steps) as step, {Due} as due
                from unnest(@runs, @steps) as s (run, step) join runs r on r.id = s.run order by r.id for no key update of r {(wait ? "" : "skip locked")})
            update runs r set step = greatest(r.step, old.step), progress_told_at = case when old.due then now() else r.progress_told_at end
            from old where r.id = old.id returning r.id, old.due
            """,
            new { runs = steps.Select(s => s.RunId).ToArray(), steps = steps.Select(s => s.Step).ToArray() });
        if (recorded.Where(r => r.Due).Select(r => r.Id).ToArray() is { Length: > 0 } due)
        {
            await SayAsync(session, due);
        }

        return recorded.Select(r => r.Id).ToHashSet();
    }

    private static async Task SayAsync(DbSession session, params Guid[] runs)
    {
        var rows = await session.QueryAsync<RunRow>($"{RunRow.Select} where r.id = any(@runs)", new { runs });
        await EventLog.AddAsync(session, [.. rows.Select(row => new NewEvent("progress", row.Id, row.Summary()))]);
    }

    private sealed record Recorded(Guid Id, bool Due);
}
