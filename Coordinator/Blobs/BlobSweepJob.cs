using Hearth.Api;
using Hearth.Coordinator.Jobs;
using Hearth.Runs;

namespace Hearth.Coordinator.Blobs;

/// <summary>The sweep, four times an hour.</summary>
internal sealed class BlobSweepJob(BlobSweeper sweeper) : IRecurringJob
{
    public string Name => "blob-sweep";

    public string Does => "Sets aside blobs that nothing has named for an hour, and deletes those that nothing named for a day more.";

    public string Cron => "*/15 * * * *";

    public async Task<string> RunAsync(CancellationToken stop) => Tell(await sweeper.SweepAsync(stop));

    internal static string Tell(BlobSweepView swept) => swept.Quarantined.Blobs + swept.Deleted.Blobs == 0
        ? "Every blob is in use, or not old enough."
        : $"Set {Words.Number(swept.Quarantined.Blobs)} blobs aside, and deleted {Words.Number(swept.Deleted.Blobs)} of {Words.Number(swept.Deleted.Bytes)} bytes.";
}
