using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Training.Tests;

/// <summary>The real program as the agent starts it: job file, JSON lines both ways.</summary>
internal sealed class TrainerProcess : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private readonly BlockingCollection<TrainerEvent> _events = [];
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly Process _process;
    private readonly Thread _reader;

    public TrainerProcess(string jobPath, string? shellPrefix = null)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "hearth-trainer.dll");
        string command = $"exec dotnet '{program}' run --job '{jobPath}'";
        var start = new ProcessStartInfo("/bin/bash") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(shellPrefix is null ? command : $"{shellPrefix}; {command}");
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, e) => _errors.Enqueue(e.Data ?? "");
        _process.BeginErrorReadLine();
        _reader = new Thread(ReadEvents) { IsBackground = true };
        _reader.Start();
    }

    public List<TrainerEvent> Seen { get; } = [];

    public static string WriteJob(TrainerJob job)
    {
        Directory.CreateDirectory(job.WorkPath);
        string path = Path.Combine(job.WorkPath, "job.json");
        File.WriteAllText(path, JsonSerializer.Serialize(job, Json.Wire));
        return path;
    }

    /// <summary>The next event of that type; fails when the program ends or a minute passes before it.</summary>
    public T Next<T>(Func<T, bool>? where = null)
        where T : TrainerEvent
    {
        var until = Stopwatch.StartNew();
        while (until.Elapsed < Deadline)
        {
            if (!_events.TryTake(out var e, TimeSpan.FromMilliseconds(200)))
            {
                if (_events.IsCompleted)
                {
                    break;
                }

                continue;
            }

            Seen.Add(e);
            if (e is T wanted && (where is null || where(wanted)))
            {
                return wanted;
            }
        }

        throw new TimeoutException($"No {typeof(T).Name}. Seen: {string.Join("\n", Seen)}\nErrors: {string.Join("\n", _errors)}");
    }

    public void Send(TrainerCommand command)
    {
        _process.StandardInput.WriteLine(JsonSerializer.Serialize(command, Json.Wire));
        _process.StandardInput.Flush();
    }

    public void CloseInput() => _process.StandardInput.Close();

    public void Kill() => _process.Kill();

    /// <summary>Asks it to stop.</summary>
    /// <param name="how">"stop command", "end of input" or "SIGTERM".</param>
    public void Stop(string how)
    {
        switch (how)
        {
            case "stop command":
                Send(new TrainerCommand("stop"));
                break;
            case "end of input":
                CloseInput();
                break;
            case "SIGTERM":
                Terminate();
                break;
            default:
                throw new ArgumentException($"{how} is no way to stop a trainer", nameof(how));
        }
    }

    public void Terminate() => Process.Start("kill", ["-TERM", $"{_process.Id}"]).WaitForExit();

    /// <summary>Waits for the end; the rest of the events is then in <see cref="Seen"/>.</summary>
    public int WaitForExit()
    {
        if (!_process.WaitForExit(Deadline))
        {
            throw new TimeoutException($"The trainer did not end. Seen: {string.Join("\n", Seen)}");
        }

        foreach (var e in _events.GetConsumingEnumerable())
        {
            Seen.Add(e);
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _reader.Join();
        _process.Dispose();
    }

    private void ReadEvents()
    {
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            try
            {
                _events.Add(JsonSerializer.Deserialize<TrainerEvent>(line, Json.Wire)!);
            }
            catch (JsonException)
            {
                // Only the last line of a killed program may be cut; anything else shows as a missing event.
                _errors.Enqueue("not an event: " + line);
            }
        }

        _events.CompleteAdding();
    }
}
