using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>A pool that was lost in the middle of a run goes on from its backup as if nothing had been.</summary>
[Collection(PoolCollection.Name)]
public sealed class BackupTests(PoolFixture fixture) : IDisposable
{
    private const int Steps = 600;
    private readonly string _home = Directory.CreateTempSubdirectory("hearth-backup-test-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task A_half_trained_run_ends_in_the_restored_pool_with_the_trace_of_the_straight_run()
    {
        var spec = PoolFixture.Spec("backed-up", Steps);
        var run = await fixture.SubmitAsync(spec);
        await PoolFixture.TrainedAsync(run, Steps / 4);
        string archive = Path.Combine(_home, "pool.backup"), restored = Path.Combine(_home, "pool");

        Assert.Contains("Wrote ", await RunAsync(0, "backup", archive, "--data", fixture.Pool.DataPath), StringComparison.Ordinal);
        var at = await run.ReadAsync(CancellationToken.None);
        await fixture.ActAsync(at, "cancel");
        Assert.Contains("Restored the pool ", await RunAsync(0, "restore", archive, "--data", restored), StringComparison.Ordinal);

        await using var pool = await LocalPool.StartAsync(PoolOptions.Private(restored), Console.WriteLine, CancellationToken.None);
        var done = await PoolFixture.SucceededAsync(new RunWatch(pool.Api, at.Summary.Id));

        Assert.Equal([(1, AttemptState.Lost), (2, AttemptState.Succeeded)], done.Attempts.OrderBy(a => a.Number).Select(a => (a.Number, a.State)));
        Assert.InRange(done.Attempts.Single(a => a.Number == 2).FirstStep, 20, Steps - 1);
        Assert.Equal(await fixture.StraightTraceAsync(spec), done.Trace);
        Assert.NotEqual(pool.AdminToken, fixture.Pool.AdminToken);
    }

    [Fact]
    public async Task A_folder_that_is_not_empty_and_a_damaged_archive_are_refused_and_leave_nothing_behind()
    {
        string archive = Path.Combine(_home, "no.backup"), full = Path.Combine(_home, "full"), empty = Path.Combine(_home, "empty");
        await File.WriteAllTextAsync(archive, "this is no archive");
        Directory.CreateDirectory(full);
        await File.WriteAllTextAsync(Path.Combine(full, "letter"), "keep me");

        Assert.Contains($"{full} is not empty.", await RunAsync(2, "restore", archive, "--data", full), StringComparison.Ordinal);
        Assert.Contains("is damaged: ", await RunAsync(1, "restore", archive, "--data", empty), StringComparison.Ordinal);
        Assert.Contains($"There is no pool in {empty}.", await RunAsync(2, "backup", archive, "--data", empty), StringComparison.Ordinal);

        Assert.Equal("keep me", await File.ReadAllTextAsync(Path.Combine(full, "letter")));
        Assert.False(Directory.Exists(empty));
    }

    private static async Task<string> RunAsync(int code, params string[] arguments)
    {
        await using var command = CliProcess.Start(arguments);
        int got = await command.ExitCodeAsync();
        Assert.True(code == got, $"{string.Join(' ', arguments)} gave {got}, not {code}: {command.Text}");
        return command.Text;
    }
}
