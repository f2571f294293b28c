using Hearth.Coordinator.Hosting;
using Orleans.Concurrency;
using Orleans.Placement;

namespace Hearth.Coordinator.Cluster;

/// <summary>Where a worker's held sync waits, by the worker's id. It knows that there is something, never what.</summary>
[Alias("hearth.worker")]
public interface IWorkerGrain : IGrainWithGuidKey
{
    /// <summary>A number that every wake changes. It belongs to one activation, so it is compared for being equal, not for being less.</summary>
    [AlwaysInterleave]
    [Alias("serial")]
    Task<long> SerialAsync();

    /// <summary>Waits until the serial is not <paramref name="seen"/>, at most so long; the serial then.</summary>
    [AlwaysInterleave]
    [Alias("wait")]
    Task<long> WaitAsync(long seen, TimeSpan most, CancellationToken stop);

    /// <summary>There is something for the worker.</summary>
    [OneWay]
    [AlwaysInterleave]
    [Alias("wake")]
    Task WakeAsync();
}

[PreferLocalPlacement]
public sealed class WorkerGrain(TimeProvider clock) : Grain, IWorkerGrain
{
    private readonly Signal _woken = new();

    // Starts anywhere, so that a serial of an earlier activation is not taken for one of this.
    private long _serial = Random.Shared.NextInt64();

    public Task<long> SerialAsync() => Task.FromResult(_serial);

    public async Task<long> WaitAsync(long seen, TimeSpan most, CancellationToken stop)
    {
        if (seen == _serial)
        {
            await Signal.WaitAsync(_woken.Next, most, clock, stop);
        }

        return _serial;
    }

    public Task WakeAsync()
    {
        _serial++;
        _woken.Pulse();
        return Task.CompletedTask;
    }
}
