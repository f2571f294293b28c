using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>export CHECKPOINT OUTDIR</c>: a checkpoint's model as a folder to give away, the average of its weights where it kept one.</summary>
internal static class ExportCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        if (Arguments.Parse(args, [], []).Words is not [var checkpoint, var folder])
        {
            throw new BadInputException("export needs two folders. Allowed: export CHECKPOINT OUTDIR.");
        }

        using var scope = torch.NewDisposeScope();
        PublishedFolder.CheckEmpty(folder);
        PublishedFolder.Write(TrainedModel.FromCheckpoint(checkpoint, torch.CPU), folder);
        Console.WriteLine(folder);
        return ExitCodes.Done;
    }
}
