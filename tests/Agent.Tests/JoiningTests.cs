using System.Net;
using System.Net.Sockets;
using Hearth.Agent.Tests.Support;
using Xunit;

namespace Hearth.Agent.Tests;

public sealed class JoiningTests
{
    [Fact]
    public async Task An_agent_joins_once_keeps_its_token_to_itself_and_needs_no_code_the_next_time()
    {
        await using var pool = await Pool.StartAsync();
        var first = pool.Agent();
        await pool.UntilAsync(() => !pool.Coordinator.Syncs.IsEmpty, "the agent reports");
        first.Terminate();
        Assert.Equal(0, await first.ExitCodeAsync());

        string token = Path.Combine(pool.Home, "worker.json");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, new FileInfo(token).UnixFileMode);
        var join = Assert.Single(pool.Coordinator.Joins);
        Assert.Equal("studio", join.Name);
        Assert.Single(join.Devices);

        int before = pool.Coordinator.Syncs.Count;
        using var second = new AgentProcess(pool.Home, "--trainer", AgentProcess.FakeTrainer);
        await pool.UntilAsync(() => pool.Coordinator.Syncs.Count > before, "the agent reports again");
        Assert.Single(pool.Coordinator.Joins);
    }

    [Fact]
    public async Task A_second_agent_on_the_same_home_is_refused_and_told_who_holds_it()
    {
        await using var pool = await Pool.StartAsync();
        pool.Agent();
        await pool.UntilAsync(() => !pool.Coordinator.Syncs.IsEmpty, "the agent reports");

        var second = pool.Agent();

        Assert.Equal(2, await second.ExitCodeAsync());
        Assert.Contains($"--home {pool.Home} is in use by an agent (process ", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_code_ends_the_agent_with_a_sentence_that_says_what_to_do()
    {
        await using var coordinator = await FakeCoordinator.StartAsync();
        using var folder = new TempFolder();
        using var agent = new AgentProcess(folder.At("home"), "--coordinator", coordinator.Address, "--join", "wrong", "--trainer", AgentProcess.FakeTrainer);

        Assert.Equal(3, await agent.ExitCodeAsync());
        Assert.Contains("did not take the join code: no such code (403)", agent.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.At("home", "worker.json")));
    }

    [Fact]
    public async Task An_unreachable_coordinator_is_told_once_and_waited_for()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        int port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        using var folder = new TempFolder();
        using var agent = new AgentProcess(
            folder.At("home"), "--coordinator", $"http://127.0.0.1:{port}", "--join", FakeCoordinator.JoinCode, "--trainer", AgentProcess.FakeTrainer);
        await Eventually.TrueAsync(() => agent.Output.Contains("cannot be reached", StringComparison.Ordinal), "the agent complains", () => agent.Output);

        await using var coordinator = await FakeCoordinator.StartAsync(port);

        await Eventually.TrueAsync(() => !coordinator.Syncs.IsEmpty, "the agent reports", () => agent.Output);
        Assert.Single(agent.Output.Split('\n'), l => l.Contains("cannot be reached", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_code_for_a_home_that_has_joined_is_not_used_and_the_agent_says_so()
    {
        await using var pool = await Pool.StartAsync();
        var first = pool.Agent();
        await pool.UntilAsync(() => !pool.Coordinator.Syncs.IsEmpty, "the agent reports");
        first.Terminate();
        await first.ExitCodeAsync();

        using var second = new AgentProcess(pool.Home, "--coordinator", pool.Coordinator.Address, "--join", "wrong", "--trainer", AgentProcess.FakeTrainer);

        await pool.UntilAsync(() => second.Output.Contains($"{pool.Home} has joined already, as studio: the join code is not used.", StringComparison.Ordinal), "the agent says so");
        Assert.Single(pool.Coordinator.Joins);
    }
}
