using System.Collections.Concurrent;
using System.Diagnostics;
using Hearth.Cli;
using Hearth.Cli.Pool;

namespace Hearth.Tests.Support;

/// <summary>The hearth command as its own process.</summary>
internal sealed class CliProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private CliProcess(Process process)
    {
        _process = process;
        Mark = ProcessMark.Of(process);
        process.OutputDataReceived += (_, e) => Keep(e.Data);
        process.ErrorDataReceived += (_, e) => Keep(e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public ProcessMark Mark { get; }

    /// <summary>Standard output and standard error, in the order in which they came.</summary>
    public string Text => string.Join('\n', _lines);

    public static CliProcess Start(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "hearth-cli.dll"), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["HEARTH_ROOT"] = Repository.Root;
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new CliProcess(Process.Start(start)!);
    }

    public static CliProcess Start(params string[] arguments) => Start(new Dictionary<string, string>(), arguments);

    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        return _process.ExitCode;
    }

    public async Task SaysAsync(string text) =>
        await Eventually.TrueAsync($"'{text}' in: {Text}", () => Text.Contains(text, StringComparison.Ordinal) || (_process.HasExited ? throw new InvalidOperationException($"ended with {_process.ExitCode}: {Text}") : false));

    public async ValueTask DisposeAsync()
    {
        await Signals.StopAsync(Mark, Signals.Interrupt, TimeSpan.FromMinutes(1));
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }
}
