using System.Diagnostics;

namespace Hearth.Cli.Pool;

/// <summary>How a part of the pool is started.</summary>
/// <param name="Name">Of the part; its log is <c>logs/NAME.log</c>.</param>
/// <param name="Command">Program and arguments.</param>
/// <param name="Environment">Added to the command line's own.</param>
/// <param name="StopSignal">Asks it to end in order.</param>
/// <param name="StopGrace">From that signal to the kill.</param>
internal sealed record ChildPlan(
    string Name, IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment, int StopSignal, TimeSpan StopGrace);

/// <summary>
/// A part of the pool, started again with growing pauses when it dies. It runs in a session of its own, so that Ctrl-C reaches it
/// only by us and in order, and it writes to its log itself, so that it outlives us without a broken pipe.
/// </summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private readonly ChildPlan _plan;
    private readonly PoolFolder _folder;
    private readonly Action<string> _say;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _supervision;
    private Process _process;
    private Task? _stop;

    private ChildProcess(ChildPlan plan, PoolFolder folder, Action<string> say)
    {
        (_plan, _folder, _say) = (plan, folder, say);
        _process = Start();
        _supervision = SuperviseAsync();
    }

    public ProcessMark Mark { get; private set; } = null!;

    public bool HasExited => _process.HasExited;

    public string Name => _plan.Name;

    public string LogPath => Path.Combine(_folder.LogsPath, _plan.Name + ".log");

    public static ChildProcess Start(ChildPlan plan, PoolFolder folder, Action<string> say) => new(plan, folder, say);

    /// <summary>The end of its log, for messages.</summary>
    public string LogTail() => LogFile.Tail(LogPath, lines: 5);

    /// <summary>Ends it in order and starts it no more. May be called twice.</summary>
    public Task StopAsync() => _stop ??= StopOnceAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
        _process.Dispose();
    }

    private async Task StopOnceAsync()
    {
        await _stopping.CancelAsync();
        await _supervision;
        if (!await Signals.StopAsync(Mark, _plan.StopSignal, _plan.StopGrace))
        {
            _say($"{_plan.Name} did not stop within {_plan.StopGrace.TotalSeconds:0} s and was killed.");
        }

        await _process.WaitForExitAsync();
        Record(null);
    }

    private Process Start()
    {
        LogFile.Rotate(LogPath);
        var start = new ProcessStartInfo("setsid", ["sh", "-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", LogPath, .. _plan.Command]) { WorkingDirectory = "/" };
        foreach (var (name, value) in _plan.Environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        Mark = ProcessMark.Of(process);
        Record(Mark);
        return process;
    }

    // A full disk is no reason to leave a part that died unstarted, or one that is to stop running.
    private void Record(ProcessMark? mark)
    {
        try
        {
            _folder.Record(_plan.Name, mark);
        }
        catch (IOException e)
        {
            _say($"{_plan.Name} could not be noted in {_folder.Root}: {e.Message}");
        }
    }

    private async Task SuperviseAsync()
    {
        var stop = _stopping.Token;
        int failures = 0;
        try
        {
            while (true)
            {
                long began = Stopwatch.GetTimestamp();
                await _process.WaitForExitAsync(stop);
                failures = RestartDelay.Failures(failures, Stopwatch.GetElapsedTime(began));
                var pause = RestartDelay.Of(failures);
                _say($"{_plan.Name} ended with {Ending(_process.ExitCode)}; starting it again in {pause.TotalSeconds:0.##} s. Its log: {LogPath}");
                await Task.Delay(pause, stop);
                _process.Dispose();
                _process = Start();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Being stopped.
        }
    }

    private static string Ending(int code) => code > 128 ? $"signal {code - 128}" : $"code {code}";
}

/// <summary>When a part that died is started again. Pure.</summary>
internal static class RestartDelay
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>A part that ran this long came up, so its next end counts as a first one: what cannot start ends sooner, and a pool whose agent is killed now and then must not wait for it.</summary>
    private static readonly TimeSpan Well = TimeSpan.FromSeconds(5);

    public static int Failures(int before, TimeSpan ran) => ran >= Well ? 1 : before + 1;

    /// <summary>The pause before the start that follows the nth failure in a row: doubled each time.</summary>
    public static TimeSpan Of(int failures) => TimeSpan.FromTicks(Math.Min(Longest.Ticks, First.Ticks << Math.Min(failures - 1, 20)));
}

/// <summary>Logs of the pool's parts: one file and the one before it.</summary>
internal static class LogFile
{
    private const long Most = 16L << 20;

    /// <summary>
    /// Puts a long log aside as <c>.1</c>. It is copied and emptied, not renamed: whoever writes it has it open for appending. Without room for
    /// the copy it is emptied all the same.
    /// </summary>
    public static void Rotate(string path, long most = Most)
    {
        if (!File.Exists(path) || new FileInfo(path).Length <= most)
        {
            return;
        }

        try
        {
            File.Copy(path, path + ".1", overwrite: true);
        }
        catch (IOException e) when (DiskSpace.RanOut(e))
        {
            File.Delete(path + ".1");
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(0);
    }

    public static string Tail(string path, int lines)
    {
        const int window = 8192;
        if (!File.Exists(path))
        {
            return "";
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Seek(-Math.Min(window, file.Length), SeekOrigin.End);
        using var reader = new StreamReader(file);
        return string.Join('\n', reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(lines));
    }
}
