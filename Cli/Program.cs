using System.CommandLine;
using Hearth.Cli;
using Hearth.Cli.Testing;

var root = new RootCommand("Hearth: one training pool out of the GPUs of a home.")
{
    TrainCommand.Create(),
    TrainerProgram.Forward("prepare", "Tokenise a dataset once."),
    TrainerProgram.Forward("generate", "Continue a prompt from a checkpoint folder."),
    TrainerProgram.Forward("models", "Families, sizes, parameters and memory."),
    TrainerProgram.Forward("parity", "Compare a family with the numbers of an independent implementation."),
    TrainerProgram.Forward("bench", "Measure: step."),
    TestCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
