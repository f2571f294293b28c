using System.Diagnostics;
using System.Text.Json;
using Hearth.Api;
using Hearth.Cli.Pool;
using Hearth.Runs;
using Hearth.Tests.Support;
using Xunit;

namespace Hearth.Tests;

/// <summary>The disk of the object store runs full under a run, and is freed again.</summary>
public sealed class FullStoreTests : IDisposable
{
    private readonly PoolOptions _options = PoolOptions.Private();
    private readonly string _text = Directory.CreateTempSubdirectory("hearth-text-").FullName;

    private string StorePath => Path.Combine(_options.DataPath, "store", "store");

    public void Dispose()
    {
        Run("umount", "-l", StorePath);
        Directory.Delete(_options.DataPath, recursive: true);
        Directory.Delete(_text, recursive: true);
    }

    [SkippableFact]
    public async Task A_run_trains_on_says_that_the_store_is_full_and_keeps_checkpoints_again_once_there_is_room()
    {
        Skip.IfNot(Environment.UserName == "root" && OperatingSystem.IsLinux(), "mounting a small disk takes root on Linux");
        Directory.CreateDirectory(StorePath);
        Skip.IfNot(Run("mount", "-t", "tmpfs", "-o", "size=256m", "none", StorePath) == 0, "this machine mounts nothing");
        PoolFixture.WriteText(_text);
        await using var pool = await LocalPool.StartAsync(_options, Console.WriteLine, CancellationToken.None);
        await pool.Api.PostAsync<DatasetView>("datasets/import", new ImportDataset(PoolFixture.Dataset, [_text], "the project's own"), CancellationToken.None);
        var spec = PoolFixture.Spec("full-store", steps: 1_000_000);
        var submitted = await pool.Api.PostAsync<RunSummary>("runs", new SubmitRun(JsonSerializer.SerializeToElement(spec, Json.Wire)), CancellationToken.None, "once");
        var run = new RunWatch(pool.Api, submitted.Id);
        await run.UntilAsync("to keep a checkpoint", r => Kept(r) > 0, PoolFixture.Limit, CancellationToken.None);

        Fill();
        var full = await run.UntilAsync("to say that the store is full", r => r.Notes.Any(n => n.Kind == "checkpoint_failed"), PoolFixture.Limit, CancellationToken.None);
        var note = full.Notes.First(n => n.Kind == "checkpoint_failed");
        Assert.Contains("(it is full)", note.Text, StringComparison.Ordinal);
        Assert.Contains("Training goes on", note.Text, StringComparison.Ordinal);
        var going = await run.UntilAsync("to train on", r => r.Summary.Step > full.Summary.Step, PoolFixture.Limit, CancellationToken.None);
        Assert.Equal(RunState.Running, going.Summary.State);

        File.Delete(Ballast);
        var freed = await run.UntilAsync("to keep a later checkpoint", r => Kept(r) > note.Step, PoolFixture.Limit, CancellationToken.None);

        Assert.Single(freed.Attempts);
        await pool.Api.PostAsync<RunAction>($"runs/{submitted.Id}/cancel", null, CancellationToken.None);
    }

    private string Ballast => Path.Combine(StorePath, "ballast");

    private static long Kept(RunDetail run) => run.Checkpoints.Where(c => c.Status == "kept").Select(c => c.Step).DefaultIfEmpty(0).Max();

    private void Fill()
    {
        using var file = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] some = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(some);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
