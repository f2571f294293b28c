using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Coordinator.Workers;

namespace Hearth.Coordinator.Scheduling.Cycle;

/// <summary>One cycle: read the world, decide, apply. What it writes is written in its term or not at all.</summary>
public sealed class SchedulerCycle(SnapshotReader reader, PlanExecutor executor, WorkerStore workers)
{
    /// <param name="term">In which it was begun.</param>
    /// <param name="lossesKnown">Whether leases that ran out are losses.</param>
    /// <param name="stop">Ends it between two commands, or in one, which is then undone.</param>
    /// <exception cref="TermOverException">Another scheduler has begun a term.</exception>
    public async Task RunAsync(SchedulerTerm term, bool lossesKnown, CancellationToken stop)
    {
        var (world, now) = await reader.ReadAsync(lossesKnown, stop);
        await executor.ApplyAsync(Scheduler.Decide(world, now), term, stop);
        await workers.TellPresenceAsync(term, stop);
    }
}

/// <summary>Registers the parts of a cycle, and the cycle as the cluster's scheduler's work: where and when it runs is the cluster's matter.</summary>
public static class SchedulerExtensions
{
    public static void AddScheduler(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<NeedsCatalog>();
        builder.Services.AddSingleton<SnapshotReader>();
        builder.Services.AddSingleton<PlanExecutor>();
        builder.Services.AddSingleton<SchedulerCycle>();
        builder.Services.AddSingleton<SchedulerWork>(services => services.GetRequiredService<SchedulerCycle>().RunAsync);
    }
}
