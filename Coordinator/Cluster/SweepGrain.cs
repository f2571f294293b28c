using Hearth.Coordinator.Hosting;
using Orleans.Concurrency;

namespace Hearth.Coordinator.Cluster;

/// <summary>What a sweep does each time that it looks; begun twice at once it does it once, for the sweep's row is locked meanwhile.</summary>
/// <param name="sweep">Which.</param>
/// <param name="stop">Ends it.</param>
public delegate Task SweepWork(Guid sweep, CancellationToken stop);

/// <summary>A sweep, on one coordinator at a time; its key is the sweep's id.</summary>
[Alias("hearth.sweep")]
public interface ISweepGrain : IGrainWithGuidKey
{
    /// <summary>Something that it decides on has changed, or may have. Any number of these lead to one more look.</summary>
    [OneWay]
    [AlwaysInterleave]
    [Alias("wake")]
    Task WakeAsync();
}

/// <summary>Reads, decides and applies when it is woken. It knows nothing between two looks.</summary>
public sealed class SweepGrain(SweepWork work, IHostApplicationLifetime life, ILogger<SweepGrain> log) : Grain, ISweepGrain
{
    private bool _runs;
    private bool _again;

    public async Task WakeAsync()
    {
        _again = true;
        if (_runs)
        {
            return;
        }

        _runs = true;
        try
        {
            while (_again)
            {
                _again = false;

                // Off the grain's own turn: a long decision must not keep it from hearing of the next change.
                await Task.Run(() => work(this.GetPrimaryKey(), life.ApplicationStopping), life.ApplicationStopping);
            }
        }
        catch (OperationCanceledException) when (life.ApplicationStopping.IsCancellationRequested)
        {
            // The keeper of another coordinator wakes it there.
        }
        catch (Exception e)
        {
            // The keeper wakes it again; whatever failed is decided anew from the truth in the database.
            log.SweepFailed(e, this.GetPrimaryKey());
        }
        finally
        {
            _runs = false;
        }
    }
}
