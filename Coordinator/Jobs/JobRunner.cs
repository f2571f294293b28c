using Hangfire;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Jobs;

/// <summary>What Hangfire calls. Finds the job, sees to it that it is not at work elsewhere, and notes what came of it.</summary>
public sealed class JobRunner(JobTable table, ILogger<JobRunner> log)
{
    /// <param name="name">Of the job.</param>
    /// <param name="stop">Cancelled when this coordinator stops; Hangfire gives the turn to another one then.</param>
    /// <returns>The result, which Hangfire's own pages show.</returns>
    [AutomaticRetry(Attempts = 0, OnAttemptsExceeded = AttemptsExceededAction.Delete)]
    public async Task<string> RunAsync(string name, CancellationToken stop)
    {
        if (!table.Jobs.TryGetValue(name, out var job))
        {
            return $"This coordinator has no job {name}.";
        }

        await using var turn = await table.TryBeginAsync(name, stop);
        if (turn is null)
        {
            return "It is at work already.";
        }

        var (failed, result) = await TryAsync(job, stop);
        await JobTable.EndAsync(turn, failed, result);
        return result;
    }

    private async Task<(bool Failed, string Result)> TryAsync(IRecurringJob job, CancellationToken stop)
    {
        try
        {
            return (false, await job.RunAsync(stop));
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            // The next turn tries again; until then its result says why.
            log.JobFailed(job.Name, e.Message);
            return (true, e.Message);
        }
    }
}
