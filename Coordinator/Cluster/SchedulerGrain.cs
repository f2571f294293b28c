using Hearth.Coordinator.Hosting;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Hearth.Coordinator.Cluster;

/// <summary>The scheduler of the cluster: key 0, on one coordinator at a time.</summary>
[Alias("hearth.scheduler")]
public interface ISchedulerGrain : IGrainWithIntegerKey
{
    /// <summary>Sees to it that it runs somewhere.</summary>
    [AlwaysInterleave]
    [Alias("touch")]
    Task TouchAsync();

    /// <summary>Something that a placement depends on has changed. Any number of these lead to one more cycle.</summary>
    [OneWay]
    [AlwaysInterleave]
    [Alias("wake")]
    Task WakeAsync();
}

/// <summary>
/// Read, decide, apply; again when woken, and each second, since leases run out in silence. Orleans keeps one activation, but two do
/// happen: a frozen silo wakes up with its own. So each begins a term, and only what is decided in the present one is applied.
/// </summary>
[PreferLocalPlacement]
public sealed class SchedulerGrain(
    SchedulerWork work,
    SchedulerTerms terms,
    ILocalSiloDetails silo,
    CoordinatorOptions options,
    IHostApplicationLifetime life,
    TimeProvider time,
    ILogger<SchedulerGrain> log) : Grain, ISchedulerGrain
{
    // A second, or a fifth of a short lease.
    private readonly TimeSpan _tick = TimeSpan.FromSeconds(Math.Min(1, options.Lease.TotalSeconds / 5));
    private readonly LossWatch _losses = new(time, options.Lease);
    private SchedulerTerm _term = new(0, Alone: true);
    private IGrainTimer? _timer;
    private CancellationTokenRegistration _handOver;
    private bool _runs;
    private bool _again;

    /// <exception cref="InvalidOperationException">This coordinator is about to end, or the others have declared it dead.</exception>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (life.ApplicationStopping.IsCancellationRequested)
        {
            throw new InvalidOperationException("This coordinator is about to end, so it takes no term of the scheduler.");
        }

        var address = silo.SiloAddress;
        var place = new SiloPlace(address.Endpoint.Address.ToString(), address.Endpoint.Port, address.Generation);
        _term = await terms.TakeAsync(place, cancellationToken)
            ?? throw new InvalidOperationException("The other coordinators have declared this one dead, so it takes no term of the scheduler.");
        log.TermBegan(_term.Number);

        // A coordinator that is told to stop first ends its requests and jobs, and its silo last. The scheduler goes at once.
        var context = GrainContext;
        _handOver = life.ApplicationStopping.Register(() => context.Deactivate(new DeactivationReason(DeactivationReasonCode.ShuttingDown, "The coordinator was told to stop.")));
        _timer = this.RegisterGrainTimer(CycleAsync, new GrainTimerCreationOptions(TimeSpan.Zero, _tick) { KeepAlive = true });
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _handOver.Unregister();
        return Task.CompletedTask;
    }

    public Task TouchAsync() => Task.CompletedTask;

    public Task WakeAsync()
    {
        if (_runs)
        {
            _again = true;
        }
        else
        {
            _timer?.Change(TimeSpan.Zero, _tick);
        }

        return Task.CompletedTask;
    }

    private async Task CycleAsync(CancellationToken stop)
    {
        _runs = true;
        try
        {
            do
            {
                _again = false;
                bool lossesKnown = _losses.Look();

                // Off the grain's own turn: a long decision must not keep it from answering.
                await Task.Run(() => work(_term, lossesKnown, stop), stop);
            }
            while (_again);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Being deactivated.
        }
        catch (TermOverException e)
        {
            log.TermOver(e.Message);
            DeactivateOnIdle();
        }
        catch (Exception e)
        {
            // This loop owns the retries: whatever failed is decided anew from the truth in the database.
            log.CycleFailed(e);
        }
        finally
        {
            _runs = false;
        }
    }
}
