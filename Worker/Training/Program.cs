using Hearth.Kernels;
using Hearth.Training;
using Hearth.Training.Commands;

// The last lines of defence: every command says what went wrong in one line on standard error and in its exit code.
try
{
    // What only reads specs and texts starts without libtorch.
    if (args is not ([] or ["help" or "--help" or "-h" or "models" or "recipe" or "prepare", ..]))
    {
        Libtorch.Load();
    }

    return args switch
    {
        ["run", .. var rest] => RunCommand.Run(rest),
        ["train", .. var rest] => TrainCommand.Run(rest),
        ["prepare", .. var rest] => PrepareCommand.Run(rest),
        ["generate", .. var rest] => GenerateCommand.Run(rest),
        ["serve", .. var rest] => ServeCommand.Run(rest),
        ["chat", .. var rest] => ChatCommand.Run(rest),
        ["export", .. var rest] => ExportCommand.Run(rest),
        ["import", .. var rest] => ImportCommand.Run(rest),
        ["evaluate", .. var rest] => EvaluateCommand.Run(rest),
        ["logits", .. var rest] => LogitsCommand.Run(rest),
        ["models", .. var rest] => ModelsCommand.Run(rest),
        ["recipe", .. var rest] => RecipeCommand.Run(rest),
        ["parity", .. var rest] => ParityCommand.Run(rest),
        ["selftest", .. var rest] => SelfTestCommand.Run(rest),
        ["artifact", .. var rest] => ArtifactCommand.Run(rest),
        ["bench", .. var rest] => BenchCommand.Run(rest),
        [] or ["help" or "--help" or "-h"] => Help.Print(),
        _ => throw new BadInputException($"No command is called {args[0]}. Allowed: run, train, prepare, generate, serve, chat, export, import, evaluate, logits, models, recipe, parity, selftest, artifact, bench, help."),
    };
}
catch (LibtorchException e)
{
    Console.Error.WriteLine($"hearth-trainer: {e.Message}");
    return ExitCodes.Crashed;
}
catch (Exception e)
{
    var (code, exit) = Failures.Classify(e);
    Console.Error.WriteLine($"hearth-trainer: {(exit == ExitCodes.Crashed ? $"{code}: {e}" : e.Message)}");
    return exit;
}
