namespace Hearth.Coordinator.Hosting;

/// <summary>
/// Does a small thing again and again while this coordinator serves: from when it is reachable until its own turn to stop comes. A failure is said and tried again.
/// </summary>
/// <param name="life">Of this coordinator.</param>
/// <param name="clock">For pauses.</param>
/// <param name="every">The pause after a turn that went well.</param>
/// <param name="again">The pause after one that failed.</param>
internal abstract class Keeper(IHostApplicationLifetime life, TimeProvider clock, TimeSpan every, TimeSpan again) : BackgroundService
{
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var open = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStarted, stoppingToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, open.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // What a coordinator that ends does here would bring back to it what has to move to another.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping, stoppingToken);
        while (!stop.IsCancellationRequested)
        {
            var pause = every;
            try
            {
                await TurnAsync(stop.Token);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Failed(e);
                pause = again;
            }

            await Task.Delay(pause, clock, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    protected abstract Task TurnAsync(CancellationToken stop);

    /// <summary>Says what went wrong.</summary>
    protected abstract void Failed(Exception e);
}
