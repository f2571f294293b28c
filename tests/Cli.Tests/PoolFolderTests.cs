using System.Diagnostics;
using Hearth.Cli;
using Hearth.Cli.Pool;
using Xunit;

namespace Hearth.Tests;

public sealed class PoolFolderTests : IDisposable
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_second_holder_is_refused_by_process_and_port()
    {
        using var first = new PoolFolder(_folder.Path, 7771);

        var e = Assert.Throws<CliException>(() => new PoolFolder(_folder.Path, 7772));

        Assert.Equal(
            $"{_folder.Path} is in use by ./hearth up, process {Environment.ProcessId}, on port 7771. Stop that one, or give this one a folder of its own with --data.",
            e.Message);
    }

    [Fact]
    public void After_an_orderly_stop_nothing_is_left_to_take_over()
    {
        using (var first = new PoolFolder(_folder.Path, 7771))
        {
            first.Record("agent", new ProcessMark(12345, Start));
        }

        using var second = new PoolFolder(_folder.Path, 7771);

        Assert.Null(second.Leftover);
        Assert.Empty(second.OldChildren);
    }

    [Fact]
    public void What_a_killed_holder_had_started_is_read_back()
    {
        _folder.File("up.json", """{"process":{"id":999999999,"started_utc":"2026-01-01T00:00:00Z"},"port":7771}""");
        _folder.File("processes.json", """{"agent":{"id":12345,"started_utc":"2026-01-01T00:00:00Z"}}""");

        using var next = new PoolFolder(_folder.Path, 7771);

        Assert.Equal(999999999, next.Leftover!.Process.Id);
        Assert.Equal(new ProcessMark(12345, Start), next.OldChildren["agent"]);
    }

    [Fact]
    public void A_torn_file_counts_as_none()
    {
        _folder.File("up.json", "{\"process\":");
        _folder.File("processes.json", "");

        using var folder = new PoolFolder(_folder.Path, 7771);

        Assert.Empty(folder.OldChildren);
    }

    [Fact]
    public void Leftovers_are_stopped_agent_first_and_database_last()
    {
        var children = new Dictionary<string, ProcessMark>
        {
            ["postgres"] = new(1, Start), ["coordinator"] = new(2, Start), ["agent"] = new(3, Start),
        };

        var all = Leftovers.Of(children, [new(4, Start), new(5, Start)], isAlive: _ => true);
        var orphans = Leftovers.Of(children, [new(4, Start), new(5, Start)], isAlive: mark => mark.Id is 1 or 5);

        Assert.Equal([("agent", 3), ("trainer", 4), ("trainer", 5), ("coordinator", 2), ("postgres", 1)], all.Select(l => (l.Name, l.Process.Id)));
        Assert.Equal([("trainer", 5), ("postgres", 1)], orphans.Select(l => (l.Name, l.Process.Id)));
    }

    [Fact]
    public void A_process_that_took_the_id_of_another_is_not_that_one()
    {
        var own = ProcessMark.Read(Environment.ProcessId)!;

        Assert.True(own.IsAlive());
        Assert.False((own with { StartedUtc = own.StartedUtc.AddMinutes(-1) }).IsAlive());
    }

    [Fact]
    public async Task A_process_that_has_ended_is_not_alive_and_one_that_ignores_the_signal_is_killed()
    {
        using var stubborn = Process.Start(new ProcessStartInfo("sh", ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]) { RedirectStandardOutput = true })!;
        await stubborn.StandardOutput.ReadLineAsync();
        var mark = ProcessMark.Of(stubborn);

        bool byItself = await Signals.StopAsync(mark, Signals.Terminate, TimeSpan.FromMilliseconds(100));

        Assert.False(byItself);
        Assert.False(mark.IsAlive());
    }
}
