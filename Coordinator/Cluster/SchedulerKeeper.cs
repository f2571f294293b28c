using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// Touches the scheduler each second, on every coordinator: nothing else brings it back after the one that it ran on has gone. Begins once
/// workers can report: the time in which none is called lost must be one in which they are heard.
/// </summary>
internal sealed class SchedulerKeeper(IGrainFactory grains, IHostApplicationLifetime life, TimeProvider clock, ILogger<SchedulerKeeper> log)
    : Keeper(life, clock, TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(250))
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private readonly TimeProvider _clock = clock;

    protected override Task TurnAsync(CancellationToken stop) => grains.GetGrain<ISchedulerGrain>(0).TouchAsync().WaitAsync(Patience, _clock, stop);

    // Its silo is dead and not yet declared so, or the database does not answer. Either passes.
    protected override void Failed(Exception e) => log.SchedulerNotReached(e.Message);
}
