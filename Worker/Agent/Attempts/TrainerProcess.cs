using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Hearth.Agent;

/// <summary>How a trainer is started.</summary>
/// <param name="Program">What to start.</param>
/// <param name="Arguments">Before the trainer's command.</param>
public sealed record TrainerCommandLine(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>Finds the trainer: as given, else the same program where agent and trainer are one, else beside the agent.</summary>
    /// <exception cref="UsageException">There is none; says where it was looked for.</exception>
    public static TrainerCommandLine Find(string? given)
    {
        if (given is null && Environment.ProcessPath is { } program && Path.GetFileNameWithoutExtension(program) == "hearth-worker")
        {
            return new TrainerCommandLine(program, ["trainer"]);
        }

        var own = AppContext.BaseDirectory;
        var exe = OperatingSystem.IsWindows() ? ".exe" : "";
        string[] places = given is not null
            ? [given]
            : [Path.Combine(own, "hearth-trainer" + exe), Path.Combine(own, "hearth-trainer.dll"), Path.Combine(own, "..", "trainer", "hearth-trainer" + exe), Path.Combine(own, "..", "trainer", "hearth-trainer.dll")];
        var found = places.FirstOrDefault(File.Exists)
            ?? throw new UsageException($"No trainer at {string.Join(", ", places.Select(Path.GetFullPath))}; name it with --trainer or HEARTH_TRAINER.");
        return found.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)
            ? new TrainerCommandLine(DotnetHost(), [Path.GetFullPath(found)])
            : new TrainerCommandLine(Path.GetFullPath(found), []);
    }

    private static string DotnetHost()
    {
        var own = Environment.ProcessPath ?? "";
        return Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
    }
}

/// <summary>
/// A trainer as a child process: lines out, commands in, death noticed at once. Should the agent be killed, the trainer's
/// input ends, which it takes as a stop; one that does not obey is killed by the next agent, which finds it by its mark.
/// (PR_SET_PDEATHSIG is no help: it fires when the thread that forked ends, and .NET's pool threads come and go.)
/// </summary>
public sealed class TrainerProcess : IDisposable
{
    /// <summary>Names the process to the next agent, should this one die.</summary>
    public const string MarkFile = "trainer.json";
    private static readonly TimeSpan PipeDrain = TimeSpan.FromSeconds(2);
    private readonly Process _process;
    private readonly Task _pumps;
    private readonly SemaphoreSlim _input = new(1, 1);

    private TrainerProcess(Process process, Action<string> line, Action<string> errorLine)
    {
        _process = process;
        Id = process.Id;
        _pumps = Task.WhenAll(PumpAsync(process.StandardOutput, line), PumpAsync(process.StandardError, errorLine));

        // Nobody would hear it any more, and it would wait for ever on a pipe that is full.
        _pumps.ContinueWith(_ => Kill(), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public int Id { get; }

    /// <param name="command">The trainer.</param>
    /// <param name="arguments">What it is to do.</param>
    /// <param name="workPath">Its folder.</param>
    /// <param name="environment">Added to the agent's own, which is passed on without its secrets.</param>
    /// <param name="line">Called for each line of standard output, in order.</param>
    /// <param name="errorLine">Called for each line of standard error, in order.</param>
    /// <exception cref="Win32Exception">The program cannot be started.</exception>
    /// <exception cref="IOException">Its mark cannot be written; it was killed again.</exception>
    public static TrainerProcess Start(
        TrainerCommandLine command,
        IReadOnlyList<string> arguments,
        string workPath,
        IReadOnlyDictionary<string, string> environment,
        Action<string> line,
        Action<string> errorLine)
    {
        var leading = ProcessGroup.Lead(command);
        var info = new ProcessStartInfo(leading.Program)
        {
            WorkingDirectory = workPath,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            UseShellExecute = false,
        };
        foreach (var argument in leading.Arguments.Concat(arguments))
        {
            info.ArgumentList.Add(argument);
        }

        foreach (var name in info.Environment.Keys.Where(IsSecret).ToList())
        {
            info.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            info.Environment[name] = value;
        }

        var process = Process.Start(info) ?? throw new Win32Exception($"{command.Program} did not start");
        try
        {
            AgentHome.WriteWhole(Path.Combine(workPath, MarkFile), ProcessGroup.Mark(process), secret: false);
        }
        catch (InvalidOperationException)
        {
            // It has ended already; there is nothing to mark.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without its mark the next agent could not find it.
            ProcessGroup.Kill(process);
            process.Dispose();
            throw;
        }

        return new TrainerProcess(process, line, errorLine);
    }

    /// <summary>
    /// Waits for the end and for the last lines; returns the exit code, 128 + N after signal N. Throws what the callers of lines threw: the trainer was killed then.
    /// </summary>
    public async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();

        // A grandchild may hold the pipes open; it must not hide that the trainer is dead.
        if (await Task.WhenAny(_pumps, Task.Delay(PipeDrain)) == _pumps)
        {
            await _pumps;
        }

        return _process.ExitCode;
    }

    /// <summary>Sends one line of JSON; a trainer that has ended ignores it.</summary>
    public async Task SendAsync<T>(T message)
    {
        try
        {
            await _input.WaitAsync();
        }
        catch (ObjectDisposedException)
        {
            return;
        }

        try
        {
            await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(message, Json.Wire));
            await _process.StandardInput.FlushAsync();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Its end is noticed by WaitAsync.
        }
        finally
        {
            try
            {
                _input.Release();
            }
            catch (ObjectDisposedException)
            {
                // Nobody waits any more.
            }
        }
    }

    /// <summary>Kills the trainer and its children, now.</summary>
    public void Kill() => ProcessGroup.Kill(_process);

    public void Dispose()
    {
        _process.Dispose();
        _input.Dispose();
    }

    private static bool IsSecret(string name) =>
        name.StartsWith("HEARTH_", StringComparison.OrdinalIgnoreCase)
        && new[] { "TOKEN", "CODE", "DATABASE", "SECRET" }.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase));

    private static async Task PumpAsync(StreamReader reader, Action<string> line)
    {
        while (await NextAsync(reader) is { } text)
        {
            line(text);
        }
    }

    private static async Task<string?> NextAsync(StreamReader reader)
    {
        try
        {
            return await reader.ReadLineAsync();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The pipe went with the process.
            return null;
        }
    }
}
