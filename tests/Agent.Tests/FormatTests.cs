using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>What an agent sends its batches in depends on the version that the coordinator tells.</summary>
public sealed class FormatTests
{
    [Theory]
    [InlineData("2", BatchFormat.Json)]
    [InlineData("3", BatchFormat.MessagePack)]
    [InlineData("4", BatchFormat.MessagePack)]
    public async Task A_coordinator_is_sent_what_its_version_reads_and_all_arrives(string version, string format)
    {
        await using var pool = await Pool.StartAsync();
        pool.Coordinator.Version = version;
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 50));

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);

        Assert.Equal(Enumerable.Range(1, 50).Select(s => (long)s), attempt.Steps("loss"));
        Assert.NotEmpty(attempt.LogTexts);
        Assert.Equal([format], pool.Coordinator.Formats.Distinct());
        Assert.Empty(pool.Coordinator.Refused);
        pool.AssertProtocolKept();
    }

    [Fact]
    public async Task A_coordinator_that_became_older_gets_what_it_refused_again_as_JSON()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        var attempt = pool.Coordinator.Place(Pool.Spec(steps: 400));
        await pool.UntilAsync(() => attempt.LastStep > 5, "training");

        pool.Coordinator.Version = "2";

        Assert.Equal(AttemptState.Succeeded, (await pool.EndAsync(attempt)).Outcome);
        Assert.Equal(Enumerable.Range(1, 400).Select(s => (long)s), attempt.Steps("loss"));
        Assert.Equal([BatchFormat.MessagePack, BatchFormat.Json], pool.Coordinator.Formats.Distinct());
        Assert.All(pool.Coordinator.Syncs, s => Assert.Null(s.Refused));
        pool.AssertProtocolKept();
    }
}
