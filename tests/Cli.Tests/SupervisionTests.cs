using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Hearth.Cli;
using Hearth.Cli.Pool;
using Xunit;

namespace Hearth.Tests;

public sealed class SupervisionTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Pauses_between_starts_double_up_to_half_a_minute() => Assert.Equal(
        [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30],
        Enumerable.Range(1, 9).Select(n => RestartDelay.Of(n).TotalSeconds));

    [Fact]
    public void A_part_that_came_up_starts_over_in_the_count()
    {
        Assert.Equal(5, RestartDelay.Failures(4, TimeSpan.FromSeconds(4.9)));
        Assert.Equal(1, RestartDelay.Failures(4, TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task A_child_that_is_killed_is_started_again_and_said_so()
    {
        using var folder = new PoolFolder(_temp.Path, 1);
        var restarted = new TaskCompletionSource<string>();
        await using var child = ChildProcess.Start(Plan("sleep", "600"), folder, text => restarted.TrySetResult(text));
        var first = child.Mark;

        Signals.Send(first, Signals.Kill);

        Assert.StartsWith("part ended with signal 9; starting it again in 0.25 s", await restarted.Task.WaitAsync(TimeSpan.FromSeconds(20)), StringComparison.Ordinal);
        await UntilAsync(() => child.Mark != first && child.Mark.IsAlive());
    }

    [SkippableFact]
    public async Task On_a_full_disk_a_child_that_is_killed_is_started_again_all_the_same_and_stopped_in_order()
    {
        using var disk = new MountedDisk(64);
        using var folder = new PoolFolder(disk.At("pool"), 1);
        var said = new ConcurrentQueue<string>();
        var child = ChildProcess.Start(Plan("sleep", "600"), folder, said.Enqueue);
        var first = child.Mark;
        disk.Fill();

        Signals.Send(first, Signals.Kill);
        await UntilAsync(() => child.Mark != first && child.Mark.IsAlive());
        await child.DisposeAsync();

        Assert.False(child.Mark.IsAlive());
        Assert.Contains(said, text => text.StartsWith("part could not be noted in ", StringComparison.Ordinal) && text.Contains("No space left on device", StringComparison.Ordinal));
    }

    [SkippableFact]
    public void Without_room_to_put_it_aside_a_long_log_is_emptied()
    {
        using var disk = new MountedDisk(64);
        string path = disk.At("a.log");
        File.WriteAllText(path, new string('x', 9000));
        disk.Fill();

        LogFile.Rotate(path, most: 5);

        Assert.Equal(0, new FileInfo(path).Length);
        Assert.False(File.Exists(path + ".1"));
    }

    [Fact]
    public async Task A_stopped_child_is_gone_and_forgotten()
    {
        using var folder = new PoolFolder(_temp.Path, 1);
        var child = ChildProcess.Start(Plan("sleep", "600"), folder, _ => { });

        await child.DisposeAsync();

        Assert.False(child.Mark.IsAlive());
        Assert.Equal("{}", await File.ReadAllTextAsync(Path.Combine(_temp.Path, "processes.json")));
    }

    [Fact]
    public async Task A_child_is_in_a_session_of_its_own_and_writes_its_own_log()
    {
        using var folder = new PoolFolder(_temp.Path, 1);
        await using var child = ChildProcess.Start(Plan("sh", "-c", "echo hello from $$; exec sleep 600"), folder, _ => { });

        await UntilAsync(() => child.LogTail().Contains("hello", StringComparison.Ordinal));

        Assert.Equal($"hello from {child.Mark.Id}", child.LogTail());
        string stat = await File.ReadAllTextAsync($"/proc/{child.Mark.Id}/stat");
        Assert.Equal(child.Mark.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[3]);
    }

    [Fact]
    public void A_long_log_is_put_aside_while_its_writer_goes_on()
    {
        string path = Path.Combine(_temp.Path, "a.log");
        using var writer = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        writer.Write("old old old"u8);
        writer.Flush();

        LogFile.Rotate(path, most: 5);

        Assert.Equal("old old old", File.ReadAllText(path + ".1"));
        Assert.Equal(0, new FileInfo(path).Length);
    }

    [Fact]
    public void A_port_that_is_taken_is_refused_with_what_to_do()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;

        var e = Assert.Throws<CliException>(() => (PoolOptions.Private(_temp.Path) with { Port = port }).CheckPort());

        Assert.Equal((ExitCodes.BadInput, $"Port {port} is in use by another program. Stop that program, or give another port with --port."), (e.ExitCode, e.Message));
    }

    private static ChildPlan Plan(params string[] command) => new("part", command, new Dictionary<string, string>(), Signals.Terminate, TimeSpan.FromSeconds(10));

    private static async Task UntilAsync(Func<bool> condition)
    {
        long began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20), "the condition did not come about within 20 s");
            await Task.Delay(10);
        }
    }
}
