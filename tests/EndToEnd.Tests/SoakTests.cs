using Hearth.Cli.Bench.Soak;
using Xunit;

namespace Hearth.Tests;

/// <summary>An hour of a pool of many workers.</summary>
public sealed class SoakTests
{
    [Fact]
    [Trait("Category", "Slow")]
    public async Task An_hour_under_200_workers_leaves_memory_and_dead_rows_flat()
    {
        var samples = await SoakBench.MeasureAsync(TimeSpan.FromHours(1), workers: 200, _ => { }, CancellationToken.None);

        var (memory, dead) = SoakBench.Trends(samples);
        Assert.True(memory.Flat, $"memory went from {memory.Middle} to {memory.Last} bytes");
        Assert.True(dead.Flat, $"dead rows went from {dead.Middle} to {dead.Last}");
        Assert.True(samples[^1].Runs > 1000, $"{samples[^1].Runs} runs ended");
    }
}
