using System.Text.Json;
using Hearth.Protocol;
using Hearth.Training.Protocol;

namespace Hearth.Training.Commands;

/// <summary><c>run --job FILE</c>: the agent's side of the trainer. Standard output carries events and nothing else.</summary>
internal static class RunCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--job"], []);
        using var output = Console.OpenStandardOutput();
        var sink = new JsonLinesSink(output);

        // Whatever else is printed by accident must not break a line of the protocol.
        Console.SetOut(Console.Error);
        TrainerJob job;
        try
        {
            job = Read(arguments.Required("--job"));
        }
        catch (Exception e) when (Failures.Classify(e).Exit == ExitCodes.BadInput)
        {
            sink.Emit(new FailedEvent(FailureCodes.BadInput, e.Message, 0));
            return ExitCodes.BadInput;
        }

        using var control = new TrainerControl();
        using var signals = new StopSignals(control);
        new CommandReader(Console.In, control, sink).Start();
        return new JobRunner(sink, control, TimeProvider.System).Run(job);
    }

    private static TrainerJob Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (!document.RootElement.TryGetProperty("spec", out var spec))
            {
                throw new BadInputException($"{path} has no spec.");
            }

            Specs.Read(spec, path);
            return document.Deserialize<TrainerJob>(Json.Wire)!;
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path} is no trainer job: {e.Message}");
        }
    }
}
