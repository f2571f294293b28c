using Hearth.Coordinator.Jobs;
using Hearth.Runs;

namespace Hearth.Coordinator.Generations;

/// <summary>Forgets answers that nobody reads any more. Ending requests whose lease ran out is <see cref="GenerationKeeper"/>'s.</summary>
internal sealed class RequestTrimJob(GenerationStore store) : IRecurringJob
{
    public string Name => "request-trim";

    public string Does => "Forgets requests to checkpoints, and their answers, an hour after they ended.";

    public string Cron => "*/10 * * * *";

    public async Task<string> RunAsync(CancellationToken stop) =>
        await store.TrimAsync(stop) is > 0 and int gone ? $"Forgot {Words.Number(gone)} requests." : "No request ended more than an hour ago.";
}
