using Hearth.Cli.Client;
using Hearth.Cli.Pool;

namespace Hearth.Cli.Bench;

/// <summary>One run after another onto a free device: from just before the request to the first heartbeat of its attempt.</summary>
internal static class ClaimBench
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public static async Task RunAsync(LocalPool pool, int submits, Output output, CancellationToken stop)
    {
        var seconds = new List<double>();
        for (int i = 1; i <= submits; i++)
        {
            var asked = DateTimeOffset.UtcNow;
            var run = await BenchCommand.SubmitAsync(pool.Api, BenchCommand.Spec($"bench-claim-{i}", steps: 1_000_000, checkpointEvery: 0), stop);
            var watch = new RunWatch(pool.Api, run.Id);
            var claimed = await watch.UntilAsync("to be claimed", r => r.Attempts is [{ FirstHeartbeatAt: not null }, ..], Limit, stop);
            seconds.Add((claimed.Attempts[0].FirstHeartbeatAt!.Value - asked).TotalSeconds);
            await BenchCommand.CancelAsync(pool, watch, run.Id, stop);
        }

        var sample = new Sample(seconds);
        var figures = new { submits = sample.Count, claim_seconds_p50 = sample.Median, claim_seconds_p99 = sample.Percentile(99), claim_seconds_max = sample.Max };
        output.Show(figures, f => output.Table(
            ["submits", "p50", "p99", "max"],
            [[Text.Count(f.submits), Text.Milliseconds(f.claim_seconds_p50), Text.Milliseconds(f.claim_seconds_p99), Text.Milliseconds(f.claim_seconds_max)]]));
    }
}
