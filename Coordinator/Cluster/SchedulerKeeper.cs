using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// Touches the scheduler each second, on every coordinator: nothing else brings it back after the one that it ran on has gone. Begins once
/// workers can report: the time in which none is called lost must be one in which they are heard.
/// </summary>
internal sealed class SchedulerKeeper(IGrainFactory grains, IHostApplicationLifetime life, TimeProvider clock, ILogger<SchedulerKeeper> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var open = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStarted, stoppingToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, open.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // Not until this service's own turn to stop comes: a touch of a coordinator that ends would bring the scheduler back to it.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping, stoppingToken);
        while (!stop.IsCancellationRequested)
        {
            var pause = Every;
            try
            {
                await grains.GetGrain<ISchedulerGrain>(0).TouchAsync().WaitAsync(Patience, clock, stop.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Its silo is dead and not yet declared so, or the database does not answer. Either passes.
                log.SchedulerNotReached(e.Message);
                pause = Again;
            }

            await Task.Delay(pause, clock, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
