using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>export CHECKPOINT OUTDIR</c>: a checkpoint's model as a folder to give away, the average of its weights where it kept one and
/// <c>--weights raw</c> does not ask for the weights themselves.
/// </summary>
internal static class ExportCommand
{
    public const string Weights = "--weights";

    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, [Weights], []);
        if (arguments.Words is not [var checkpoint, var folder])
        {
            throw new BadInputException("export needs two folders. Allowed: export CHECKPOINT OUTDIR [--weights average|raw].");
        }

        using var scope = torch.NewDisposeScope();
        PublishedFolder.CheckEmpty(folder);
        PublishedFolder.Write(TrainedModel.FromCheckpoint(checkpoint, torch.CPU, raw: WantsRaw(arguments)), folder);
        Console.WriteLine(folder);
        return ExitCodes.Done;
    }

    /// <summary>Whether <c>--weights</c> asks for a checkpoint's weights themselves instead of their average.</summary>
    /// <exception cref="BadInputException">It is neither word.</exception>
    public static bool WantsRaw(Arguments arguments) => arguments.Text(Weights) switch
    {
        null or "average" => false,
        "raw" => true,
        var other => throw new BadInputException($"{Weights} is {other}. Allowed: average, raw."),
    };
}
