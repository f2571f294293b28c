using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Training.Protocol;

/// <summary>
/// Reads <see cref="TrainerCommand"/> lines. The end of the input means that the agent is gone: that is a stop too, so a
/// crashed agent leaves no trainer behind.
/// </summary>
public sealed class CommandReader(TextReader input, TrainerControl control, IEventSink sink)
{
    /// <summary>Reads until the input ends, on a thread of its own that does not keep the process alive.</summary>
    public Thread Start()
    {
        var thread = new Thread(Read) { IsBackground = true, Name = "commands" };
        thread.Start();
        return thread;
    }

    /// <summary>Reads until the input ends.</summary>
    public void Read()
    {
        try
        {
            while (input.ReadLine() is { } line)
            {
                Obey(line);
            }

            control.Stop("standard input ended");
        }
        catch (IOException e)
        {
            control.Stop("standard input failed: " + e.Message);
        }
    }

    private void Obey(string line)
    {
        if (string.IsNullOrWhiteSpace(line))
        {
            return;
        }

        TrainerCommand? command = null;
        try
        {
            command = JsonSerializer.Deserialize<TrainerCommand>(line, Json.Wire);
        }
        catch (JsonException e)
        {
            sink.Emit(new LogEvent(LogLevel.Warning, $"A command line is no JSON and was ignored: {e.Message}"));
            return;
        }

        switch (command?.Command)
        {
            case "stop":
                control.Stop("stop command");
                break;
            case "checkpoint":
                control.AskForCheckpoint();
                break;
            case "sample":
                control.AskForSample(command);
                break;
            default:
                sink.Emit(new LogEvent(LogLevel.Warning, $"command is '{command?.Command}'. Allowed: stop, checkpoint, sample."));
                break;
        }
    }
}
