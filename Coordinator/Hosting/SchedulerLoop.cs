using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Coordinator.Workers;
using Npgsql;

namespace Hearth.Coordinator.Hosting;

/// <summary>
/// While this coordinator leads: read, decide, apply; again when something changed, and each second, since leases run out in
/// silence. Nothing is declared dead in the first lease period of a leader, nor after one in which it did not look: workers may
/// have had nobody to report to.
/// </summary>
public sealed class SchedulerLoop(
    ILeadership leadership,
    SnapshotReader reader,
    PlanExecutor executor,
    WorkerStore workers,
    DatabaseSignals signals,
    SchedulerClock clock) : BackgroundService
{
    private bool _leads;
    private long _since;
    private long _looked;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var next = signals.Pool.Next;
            try
            {
                if (await LeadsAsync(stoppingToken))
                {
                    await CycleAsync(stoppingToken);
                }

                await Signal.WaitAsync(next, clock.Tick, clock.Time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // This loop owns the retries: whatever failed is decided anew from the truth in the database.
                clock.Log.CycleFailed(e);
                _leads = _leads && e is not NpgsqlException;
                await Task.Delay(clock.Tick, clock.Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        await leadership.DisposeAsync();
    }

    private async Task<bool> LeadsAsync(CancellationToken stop)
    {
        bool leads = await leadership.HoldAsync(stop);
        if (leads && !_leads)
        {
            (_since, _looked) = (clock.Time.GetTimestamp(), clock.Time.GetTimestamp());
            clock.Log.Leads();
        }
        else if (!leads && _leads)
        {
            clock.Log.LeadsNoMore("another coordinator holds the lock");
        }

        return _leads = leads;
    }

    private async Task CycleAsync(CancellationToken stop)
    {
        if (clock.Time.GetElapsedTime(_looked) > clock.Lease / 2)
        {
            _since = clock.Time.GetTimestamp();
        }

        _looked = clock.Time.GetTimestamp();
        var (world, now) = await reader.ReadAsync(clock.Time.GetElapsedTime(_since) > clock.Lease, stop);
        await executor.ApplyAsync(Scheduler.Decide(world, now), stop);
        await workers.TellPresenceAsync(stop);
    }
}

/// <summary>The loop's times and its log.</summary>
public sealed class SchedulerClock(TimeProvider time, CoordinatorOptions options, ILogger<SchedulerLoop> log)
{
    public TimeProvider Time => time;

    public TimeSpan Lease => options.Lease;

    /// <summary>A second, or a fifth of a short lease.</summary>
    public TimeSpan Tick { get; } = TimeSpan.FromSeconds(Math.Min(1, options.Lease.TotalSeconds / 5));

    internal ILogger Log => log;
}

/// <summary>Registers the scheduler's parts.</summary>
public static class SchedulerExtensions
{
    public static void AddScheduler(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ILeadership, PostgresLeadership>();
        builder.Services.AddSingleton<NeedsCatalog>();
        builder.Services.AddSingleton<SnapshotReader>();
        builder.Services.AddSingleton<PlanExecutor>();
        builder.Services.AddSingleton<SchedulerClock>();
        builder.Services.AddHostedService<SchedulerLoop>();
    }
}
