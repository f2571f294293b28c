using System.Net.Sockets;
using Hearth.Coordinator.Hosting;
using Npgsql;

namespace Hearth.Coordinator.Generations;

/// <summary>Ends requests whose lease ran out, twice in a lease.</summary>
internal sealed class GenerationKeeper(GenerationStore store, CoordinatorOptions options, TimeProvider clock, ILogger<GenerationKeeper> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The first look comes after a whole lease: workers may have had nobody to report to.
        await Task.Delay(options.Lease, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await store.ExpireAsync(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException or TimeoutException)
            {
                log.KeeperFailed(e.Message);
            }

            await Task.Delay(options.Lease / 2, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
