using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Wakes the sweeps that go on, on every coordinator: a wake may get lost, limits run out in silence, and the coordinator that a sweep was on may be gone.</summary>
internal sealed class SweepKeeper(SweepStore sweeps, Wakes wakes, IHostApplicationLifetime life, TimeProvider clock, ILogger<SweepKeeper> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var open = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStarted, stoppingToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, open.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping, stoppingToken);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                foreach (var sweep in await sweeps.LiveAsync(stop.Token))
                {
                    wakes.Sweep(sweep);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The database does not answer; that passes.
                log.SweepsNotFound(e.Message);
            }

            await Task.Delay(Every, clock, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
