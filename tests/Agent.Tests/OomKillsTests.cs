using Hearth.Agent.Tests.Support;
using Hearth.Protocol;
using Hearth.Runs;
using Xunit;

namespace Hearth.Agent.Tests;

/// <summary>What the kernel killed for memory: where it is counted, and what it makes of an attempt.</summary>
public sealed class OomKillsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData("0::/user/agent", "sys/fs/cgroup/user/agent/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0", 2)]
    [InlineData("0::/of/the/host", "sys/fs/cgroup/memory.events", "oom_kill 5", 5)]
    [InlineData("5:cpu,cpuacct:/\n4:memory:/a\n0::/", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7", 7)]
    [InlineData("0::/", "sys/fs/cgroup/cgroup.procs", "1", 11)]
    [InlineData("no group", "sys/fs/cgroup/memory.events", "oom_kill 5", 11)]
    public void The_agents_own_group_is_asked_and_where_none_counts_the_machine(string groups, string file, string text, long count)
    {
        Write("proc/vmstat", "nr_free_pages 9\noom_kill 11\nnuma_hit 1");
        Write("proc/self/cgroup", groups);
        Write(file, text);

        Assert.Equal(count, new OomKills(_folder.Path).Read());
    }

    [Fact]
    public void Without_any_count_nothing_is_known() => Assert.Null(new OomKills(_folder.Path).Read());

    [Theory]
    [InlineData(true, AttemptState.Failed, FailureCodes.HostOutOfMemory)]
    [InlineData(false, AttemptState.Lost, null)]
    public async Task A_trainer_killed_from_outside_is_out_of_memory_where_the_kernel_counts_a_kill(bool counted, AttemptState outcome, string? code)
    {
        await using var coordinator = await FakeCoordinator.StartAsync();
        string root = _folder.At("root");
        Write("root/proc/vmstat", "oom_kill 3");
        var options = AgentOptions.Parse(["--home", _folder.At("home"), "--probe", "cpu", "--trainer", AgentProcess.FakeTrainer], _ => null);
        var timings = new AgentTimings();
        using var home = new AgentHome(options.HomePath);
        using var devices = new DeviceSet(options);
        using var client = new CoordinatorClient(new Uri(coordinator.Address), "worker-token");
        using var blobs = new BlobStore(home.CachePath, new Uri(coordinator.Address), timings);
        var services = new AttemptServices(client, blobs, home, options, timings, new AgentLog(TextWriter.Null), new DeadLetters(home.RefusedPath, new AgentLog(TextWriter.Null))) { OomKills = new OomKills(root) };
        var placed = coordinator.Place(Pool.Spec());
        var attempt = new Attempt(placed.Assignment, devices.All[0], TrainerCommandLine.Find(options.TrainerPath), services);

        var running = attempt.RunAsync();
        await Eventually.TrueAsync(() => attempt.Report().Step > 0, "it trains", placed.Describe);
        Write("root/proc/vmstat", counted ? "oom_kill 4" : "oom_kill 3");
        string mark = Directory.EnumerateFiles(options.HomePath, TrainerProcess.MarkFile, SearchOption.AllDirectories).Single();
        using (var trainer = ProcessGroup.Find(System.Text.Json.JsonSerializer.Deserialize<ProcessMark>(File.ReadAllBytes(mark), Json.Wire)!))
        {
            trainer!.Kill();
        }

        var end = await running;
        Assert.Equal((outcome, code), (end!.Outcome, end.FailureCode));
        Assert.Contains("(signal 9)", end.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private void Write(string name, string text)
    {
        string path = _folder.At(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
