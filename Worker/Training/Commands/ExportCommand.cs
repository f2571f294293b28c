using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>export</c>: a VUAF checkpoint as a published folder.</summary>
internal static class ExportCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--checkpoint", "--out"], []);
        string folder = arguments.Required("--out");
        using var scope = torch.NewDisposeScope();
        TrainedModel.ExportVuaf(arguments.Required("--checkpoint"), folder);
        Console.WriteLine(folder);
        return ExitCodes.Done;
    }
}
