using Hangfire;

namespace Hearth.Coordinator.Jobs;

/// <summary>Has a job done beside its schedule, on whichever coordinator takes the turn first.</summary>
public sealed class JobQueue(IBackgroundJobClient hangfire)
{
    /// <param name="name">Of an <see cref="IRecurringJob"/>.</param>
    public void Start(string name) => hangfire.Enqueue<JobRunner>(runner => runner.RunAsync(name, CancellationToken.None));
}
