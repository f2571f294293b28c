using System.Text;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Training.Serving;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>serve --checkpoint DIR</c>: the agent's side of generation. The model stays loaded; requests come as JSON lines, events go as JSON lines.</summary>
internal static class ServeCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--checkpoint", DeviceOptions.Device, DeviceOptions.Threads], []);
        using var output = Console.OpenStandardOutput();

        // Whatever else is printed by accident must not break a line of the protocol.
        Console.SetOut(Console.Error);

        // Read from now on: the end of the input while the model loads is the end too.
        var queue = new RequestQueue(Console.In, Console.Error.WriteLine);
        queue.Start();
        using var scope = torch.NewDisposeScope();
        var trained = TrainedModel.Load(arguments.Required("--checkpoint"), DeviceOptions.Apply(arguments));
        foreach (var waiting in queue.Take())
        {
            using var turn = torch.NewDisposeScope();
            foreach (var e in Answers(trained, waiting))
            {
                Write(output, new ServeLine(waiting.Id, e));
            }

            queue.Over(waiting.Id);
        }

        return ExitCodes.Done;
    }

    // A request that is wrong fails alone. What else goes wrong ends the process, and the agent tells whose requests were open.
    private static IEnumerable<GenerationEvent> Answers(TrainedModel trained, WaitingRequest waiting)
    {
        Answer? answer = null;
        string refusal = "";
        try
        {
            answer = new Answer(trained, waiting.Request);
        }
        catch (Exception e) when (Failures.Classify(e).Code == FailureCodes.BadInput)
        {
            refusal = e.Message;
        }

        if (answer is null)
        {
            yield return new GenerationFailed(FailureCodes.BadInput, refusal);
            yield break;
        }

        foreach (var e in answer.Events())
        {
            if (waiting.Cancelled.IsCancellationRequested)
            {
                yield return new GenerationStopped("It was cancelled.");
                yield break;
            }

            yield return e;
        }
    }

    private static void Write(Stream output, ServeLine line)
    {
        try
        {
            output.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(line, Json.Wire) + "\n"));
            output.Flush();
        }
        catch (IOException)
        {
            // The agent is gone; the end of standard input says so too.
        }
    }
}
