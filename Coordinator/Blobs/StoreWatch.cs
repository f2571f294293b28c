using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Blobs;

/// <summary>
/// Knows whether the store is there: looks every few seconds, with growing pauses while it is not. Runs are not started
/// meanwhile, and wait with the reason.
/// </summary>
public sealed class StoreWatch(StoreKeeper keeper, Wakes wakes, TimeProvider clock, ILogger<StoreWatch> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private volatile string? _outage;

    /// <summary>Why the store cannot be used, in one sentence; null while it can.</summary>
    public string? Outage => _outage;

    /// <summary>The first look, before anything is served. A store that is only away is no reason not to start.</summary>
    /// <exception cref="InvalidOperationException">The store is another pool's.</exception>
    public async Task BeginAsync(CancellationToken stop)
    {
        switch (await keeper.LookAsync(adopt: true, stop))
        {
            case StoreClaim.Refused refused:
                throw new InvalidOperationException(refused.Reason);
            case StoreClaim.Away away:
                _outage = away.Reason;
                log.StoreAway(away.Reason);
                break;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var pause = Period; !stoppingToken.IsCancellationRequested; await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing))
        {
            try
            {
                await LookAsync(stoppingToken);
                pause = _outage is null ? Period : Longer(pause);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException)
            {
                // Without the database nobody asks for the store either.
                pause = Longer(pause);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private static TimeSpan Longer(TimeSpan pause) => pause == Period ? FirstPause : TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, LongestPause.Ticks));

    private async Task LookAsync(CancellationToken stop)
    {
        string? before = _outage;
        _outage = await keeper.LookAsync(adopt: false, stop) switch
        {
            StoreClaim.Away away => away.Reason,
            StoreClaim.Refused refused => refused.Reason,
            _ => null,
        };
        if (_outage == before)
        {
            return;
        }

        if (_outage is { } reason)
        {
            log.StoreAway(reason);
        }
        else
        {
            log.StoreBack();
        }

        wakes.Scheduler();
    }
}
