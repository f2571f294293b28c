using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// Tells the scheduler and held syncs, on whichever coordinator they are, to look again. To be called after a commit: who looks
/// must find what was written. A wake that gets lost costs a second, never more, since both look by themselves.
/// </summary>
public sealed class Wakes(IGrainFactory grains, ILogger<Wakes> log)
{
    /// <summary>Pulses with each wake of the scheduler from this coordinator, for its own work that waits for the same changes.</summary>
    public Signal Sent { get; } = new();

    /// <summary>Something that a placement depends on has changed.</summary>
    public void Scheduler()
    {
        Sent.Pulse();
        Send(() => grains.GetGrain<ISchedulerGrain>(0).WakeAsync());
    }

    /// <summary>A trial of this sweep has changed.</summary>
    public void Sweep(Guid id) => Send(() => grains.GetGrain<ISweepGrain>(id).WakeAsync());

    /// <summary>There is something for these workers.</summary>
    public void Workers(params IEnumerable<Guid> ids)
    {
        foreach (var id in ids.Distinct())
        {
            Send(() => grains.GetGrain<IWorkerGrain>(id).WakeAsync());
        }
    }

    // One-way calls are over once they are sent; a silo that is stopping refuses them.
    private void Send(Func<Task> wake)
    {
        try
        {
            wake().ContinueWith(sent => log.WakeLost(sent.Exception!.InnerException!.Message), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
        catch (Exception e)
        {
            log.WakeLost(e.Message);
        }
    }
}
