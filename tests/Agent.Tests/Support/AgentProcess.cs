using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hearth.Agent.Tests.Support;

/// <summary>The real program with a home of its own.</summary>
internal sealed class AgentProcess : IDisposable
{
    public static readonly string FakeTrainer = Path.Combine(AppContext.BaseDirectory, "fake-trainer.dll");
    public static readonly string RealTrainer = Path.Combine(AppContext.BaseDirectory, "hearth-trainer.dll");
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly Process _process;

    public AgentProcess(string home, params string[] options)
        : this(home, log: null, options)
    {
    }

    private AgentProcess(string home, string? log, string[] options)
    {
        string[] command = ["dotnet", Path.Combine(AppContext.BaseDirectory, "hearth-agent.dll"), "--home", home, "--probe", "cpu", .. options];
        string[] logged = log is null ? command : ["sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", log, .. command];
        var start = new ProcessStartInfo(logged[0], logged[1..])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
    }

    public string Output => string.Join('\n', _lines);

    public bool HasExited => _process.HasExited;

    public static AgentProcess Join(FakeCoordinator coordinator, string home, string? trainer = null, string? log = null, params string[] options) =>
        new(home, log, ["--coordinator", coordinator.Address, "--join", FakeCoordinator.JoinCode, "--name", "studio", "--trainer", trainer ?? FakeTrainer, .. options]);

    public void Terminate() => Process.Start("kill", ["-TERM", $"{_process.Id}"]).WaitForExit();

    /// <summary>SIGKILL to the agent alone, as the kernel's out-of-memory killer would.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public async Task<int> ExitCodeAsync()
    {
        await Eventually.TrueAsync(() => _process.HasExited, "the agent ends", () => Output);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>An agent that a test leaves running is killed with its trainers.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }
}
