using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Wakes the sweeps that go on, on every coordinator: a wake may get lost, limits run out in silence, and the coordinator that a sweep was on may be gone.</summary>
internal sealed class SweepKeeper(SweepStore sweeps, Wakes wakes, IHostApplicationLifetime life, TimeProvider clock, ILogger<SweepKeeper> log)
    : Keeper(life, clock, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2))
{
    protected override async Task TurnAsync(CancellationToken stop)
    {
        foreach (var sweep in await sweeps.LiveAsync(stop))
        {
            wakes.Sweep(sweep);
        }
    }

    // The database does not answer; that passes.
    protected override void Failed(Exception e) => log.SweepsNotFound(e.Message);
}
