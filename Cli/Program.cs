using System.CommandLine;
using Hearth.Cli;
using Hearth.Cli.Bench;
using Hearth.Cli.Client;
using Hearth.Cli.Cluster;
using Hearth.Cli.Demo;
using Hearth.Cli.Evaluate;
using Hearth.Cli.Pool;
using Hearth.Cli.Recipes;
using Hearth.Cli.Testing;

var root = new RootCommand("Hearth: one training pool out of the GPUs of a home.")
{
    DemoCommand.Create(),
    UpCommand.Create(),
    JoinCommand.Create(),
    RunsCommand.Create(),
    SchedulesCommand.Create(),
    SweepsCommand.Create(),
    RecipesCommand.Create(),
    DatasetCommands.Datasets(),
    PoolCommands.Workers(),
    PoolCommands.Tokens(),
    BlobCommands.Create(),
    JobsCommand.Create(),
    BackupCommands.Backup(),
    BackupCommands.Restore(),
    ClusterCommand.Create(),
    TrainCommand.Create(),
    TrainerProgram.Forward("prepare", "Tokenise a dataset once."),
    TrainerProgram.Forward("chat", "Talk with a checkpoint, one turn a line."),
    TrainerProgram.Forward("export", "A checkpoint as a folder to give away: safetensors, config, tokenizer."),
    TrainerProgram.Forward("import", "Such a folder as a checkpoint that a run goes on from."),
    TrainerProgram.Forward("generate", "Continue a prompt from a checkpoint folder."),
    EvaluateCommand.Create(),
    TrainerProgram.Forward("logits", "A checkpoint's logits for a text of ids."),
    TrainerProgram.Forward("models", "Families, sizes, parameters and memory; describe: every tensor of one."),
    TrainerProgram.Forward("artifact", "Pack a Hybrid checkpoint into 16 MB, and score bits per byte."),
    TrainerProgram.Forward("parity", "Compare a family with the numbers of an independent implementation."),
    BenchCommand.Create(),
    TrainerProgram.Forward("selftest", "Check a device: kernels against plain operators, families against the CPU, the same bits twice."),
    BundleCommand.Create(),
    TestCommand.Create(),
};

// A stop may take as long as the last checkpoint of every trainer; the commands see to it that it ends.
var parsed = root.Parse(HelpWords.Of(args));
int code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(5) });
return parsed.Errors.Count > 0 ? ExitCodes.BadInput : code;
