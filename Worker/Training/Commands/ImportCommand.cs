using Hearth.Training.Checkpoints;
using TorchSharp;

namespace Hearth.Training.Commands;

/// <summary><c>import DIR OUTDIR</c>: an exported or published folder as a checkpoint of step 0, for a run of <c>--spec</c> to go on from.</summary>
internal static class ImportCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--spec"], []);
        if (arguments.Words is not [var source, var folder])
        {
            throw new BadInputException("import needs two folders. Allowed: import DIR OUTDIR [--spec FILE].");
        }

        var spec = arguments.Text("--spec") is { } path ? Specs.ReadFile(path) : null;
        PublishedFolder.CheckEmpty(folder);
        using var scope = torch.NewDisposeScope();
        var trained = PublishedFolder.Read(source, torch.CPU, spec is null ? null : spec.Train.Precision == "fp64" ? torch.float64 : torch.float32);
        if (ImportedCheckpoint.NotFinite(trained.Model) is { } warning)
        {
            Console.Error.WriteLine($"warning: {warning}");
        }

        ImportedCheckpoint.Write(trained, folder, spec ?? ImportedCheckpoint.DefaultSpec(trained.Model));
        Console.WriteLine(folder);
        return ExitCodes.Done;
    }
}
