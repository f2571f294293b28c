using Hearth.Coordinator.Metrics.Bench;
using Hearth.Coordinator.Scheduling.Bench;

namespace Hearth.Coordinator;

/// <summary>Measurements that need the coordinator's own parts; <c>./hearth bench</c> starts them.</summary>
internal static class Benches
{
    /// <returns>Exit code; null where no bench has the name.</returns>
    internal static async Task<int?> RunAsync(string[] args) => args switch
    {
        ["bench", "batches"] => BatchBench.Run(Console.Out),
        ["bench", "decide", .. var options] => DecideBench.Run(options, Console.Out),
        ["bench", "metrics", .. var options] => await MetricsBench.RunAsync(options),
        _ => null,
    };
}
