using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Client;
using Hearth.Cli.Pool;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>The real <c>./hearth up</c>: one at a time, taken over after a crash, stopped in order.</summary>
public sealed class UpTests : IDisposable
{
    private readonly PoolOptions _options = PoolOptions.Private();

    public void Dispose() => Directory.Delete(_options.DataPath, recursive: true);

    [Fact]
    public async Task A_second_one_is_refused_by_name_and_ctrl_c_stops_agent_then_coordinator_then_database()
    {
        await using var up = await StartAsync();
        Assert.Contains($"Sign in with this token; it is shown once: {await TokenAsync()}", up.Text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(PoolFolder.TokenPathOf(_options.DataPath)));

        await using var second = CliProcess.Start("up", "--data", _options.DataPath, "--port", "1");
        Assert.Equal(1, await second.ExitCodeAsync());
        Assert.Contains($"is in use by ./hearth up, process {up.Mark.Id}, on port {_options.Port}.", second.Text, StringComparison.Ordinal);

        var children = Children();
        Signals.Send(up.Mark, Signals.Interrupt);
        var ends = await EndsInOrderAsync(children);

        Assert.Equal(0, await up.ExitCodeAsync());
        Assert.Equal(["agent", "coordinator", "postgres"], ends);
        Assert.Null(PoolFolder.ReadHolder(_options.DataPath));
    }

    [Fact]
    public async Task After_a_kill_the_next_one_takes_over_and_the_run_goes_on()
    {
        string text = Directory.CreateTempSubdirectory("hearth-text-").FullName;
        PoolFixture.WriteText(text);
        IReadOnlyDictionary<string, ProcessMark> orphans;
        Guid run;
        await using (var first = await StartAsync())
        {
            using var api = await ClientAsync();
            await api.PostAsync<DatasetView>("datasets/import", new ImportDataset(PoolFixture.Dataset, [text], "the project's own"), CancellationToken.None);
            var spec = JsonSerializer.SerializeToElement(PoolFixture.Spec("taken-over", steps: 1_000_000), Json.Wire);
            run = (await api.PostAsync<RunSummary>("runs", new SubmitRun(spec), CancellationToken.None, "once")).Id;
            await PoolFixture.TrainedAsync(new RunWatch(api, run), 30);
            orphans = Children();

            Signals.Send(first.Mark, Signals.Kill);
            await first.ExitCodeAsync();
            Assert.All(orphans.Values, mark => Assert.True(mark.IsAlive()));
        }

        await using var next = await StartAsync();

        Assert.Contains("was killed; stopping what it left: agent", next.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("it is shown once", next.Text, StringComparison.Ordinal);
        Assert.All(orphans.Values, mark => Assert.False(mark.IsAlive()));
        using var client = await ClientAsync();
        var watch = new RunWatch(client, run);
        var resumed = await watch.UntilAsync("to go on", r => r.Attempts is [.., { FirstStepAt: not null }] && r.Attempts.Count > 1, PoolFixture.Limit, CancellationToken.None);
        Assert.True(resumed.Attempts[^1].FirstStep >= 20, "the run did not go on from a checkpoint");
        Directory.Delete(text, recursive: true);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_refused_with_what_to_do_and_leaves_nothing_running()
    {
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, _options.Port);
        other.Start();

        await using var up = CliProcess.Start("up", "--data", _options.DataPath, "--port", $"{_options.Port}", "--listen", "127.0.0.1");

        Assert.Equal(2, await up.ExitCodeAsync());
        Assert.Contains($"Port {_options.Port} is in use by another program. Stop that program, or give another port with --port.", up.Text, StringComparison.Ordinal);
        Assert.Null(PoolFolder.ReadHolder(_options.DataPath));
    }

    private async Task<CliProcess> StartAsync()
    {
        var up = CliProcess.Start("up", "--data", _options.DataPath, "--port", $"{_options.Port}", "--listen", "127.0.0.1", "--name", "local", "--threads", "1");
        try
        {
            await up.SaysAsync("Ctrl-C stops everything");
            return up;
        }
        catch
        {
            await up.DisposeAsync();
            throw;
        }
    }

    private async Task<ApiClient> ClientAsync() => new(new Uri($"http://localhost:{_options.Port}/"), await TokenAsync());

    private async Task<string> TokenAsync() => (await File.ReadAllTextAsync(PoolFolder.TokenPathOf(_options.DataPath))).Trim();

    private Dictionary<string, ProcessMark> Children() =>
        JsonSerializer.Deserialize<Dictionary<string, ProcessMark>>(File.ReadAllBytes(Path.Combine(_options.DataPath, "processes.json")), Json.Wire)!;

    private static async Task<IReadOnlyList<string>> EndsInOrderAsync(IReadOnlyDictionary<string, ProcessMark> children)
    {
        var ends = new List<string>();
        await Eventually.TrueAsync("all children ended", () =>
        {
            // The last of the order is looked at first: if it is gone, those that must go before it are gone by now too.
            ends.AddRange(children.OrderByDescending(c => c.Key, StringComparer.Ordinal).Where(c => !ends.Contains(c.Key) && !c.Value.IsAlive()).Select(c => c.Key).Reverse());
            return ends.Count == children.Count;
        });
        return ends;
    }
}
