using Hearth.Coordinator.Database;
using Npgsql;

namespace Hearth.Coordinator.Runs;

/// <summary>How far an attempt says its run is.</summary>
internal sealed record ReportedStep(Guid RunId, long Step);

/// <summary>Records how far runs are and tells the stream: those of many workers in one transaction. A run that somebody holds gets one of its own.</summary>
internal sealed class ReportedSteps
{
    private readonly NpgsqlDataSource _database;
    private readonly GroupedWrites<ReportedStep, ReportedStep> _together;

    public ReportedSteps(NpgsqlDataSource database) => (_database, _together) = (database, new GroupedWrites<ReportedStep, ReportedStep>(RecordAsync));

    public async Task RecordAsync(ReportedStep step, CancellationToken stop)
    {
        if (await _together.AddAsync(step, stop) is null)
        {
            await using var session = await DbSession.BeginAsync(_database, stop);
            await RunProgress.StepsAsync(session, [step], wait: true);
            await session.CommitAsync();
        }
    }

    /// <summary>What of a batch is written: of each run the greatest step. Pure.</summary>
    internal static IReadOnlyList<ReportedStep> Combine(IReadOnlyList<ReportedStep> batch) =>
        [.. batch.GroupBy(s => s.RunId).Select(same => same.MaxBy(s => s.Step)!)];

    private async Task<IReadOnlyList<ReportedStep?>> RecordAsync(IReadOnlyList<ReportedStep> batch, CancellationToken stop)
    {
        await using var session = await DbSession.BeginAsync(_database, stop);
        var recorded = await RunProgress.StepsAsync(session, Combine(batch), wait: false);
        await session.CommitAsync();
        return [.. batch.Select(s => recorded.Contains(s.RunId) ? s : null)];
    }
}
