using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Cluster;

/// <summary>
/// The wait of a held sync for a wake from any coordinator. Take <see cref="SerialAsync"/> before reading what there is and give it
/// to <see cref="NextAsync"/>: a wake in between is then not missed.
/// </summary>
public sealed class WorkerWaits(IGrainFactory grains, TimeProvider clock, ILogger<WorkerWaits> log)
{
    // The grain of a worker may be at a coordinator that has just died. Until another takes it over, what there is is looked for.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    /// <returns>Null when the cluster does not answer.</returns>
    /// <exception cref="OperationCanceledException">When <paramref name="stop"/> was asked for.</exception>
    public Task<long?> SerialAsync(Guid worker, CancellationToken stop) => AskAsync(grains.GetGrain<IWorkerGrain>(worker).SerialAsync, Patience, stop);

    /// <summary>Waits for a wake after <paramref name="seen"/>, at most so long.</summary>
    /// <returns>What to give to the next call.</returns>
    /// <exception cref="OperationCanceledException">When <paramref name="stop"/> was asked for.</exception>
    public async Task<long?> NextAsync(Guid worker, long? seen, TimeSpan most, CancellationToken stop)
    {
        if (seen is { } serial && await AskAsync(() => grains.GetGrain<IWorkerGrain>(worker).WaitAsync(serial, most, stop), most + Patience, stop) is { } next)
        {
            return next;
        }

        await Task.Delay(most < Look ? most : Look, clock, stop);
        return await SerialAsync(worker, stop);
    }

    private async Task<long?> AskAsync(Func<Task<long>> ask, TimeSpan patience, CancellationToken stop)
    {
        try
        {
            return await ask().WaitAsync(patience, clock, stop);
        }
        catch (Exception e) when (e is TimeoutException or OrleansException)
        {
            log.WaitLost(e.Message);
            return null;
        }
    }
}
