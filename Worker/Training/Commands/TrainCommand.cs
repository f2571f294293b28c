using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Hearth.Training.Protocol;

namespace Hearth.Training.Commands;

/// <summary><c>train</c>: the same run from a shell, with lines for people and checkpoints in a folder.</summary>
internal static class TrainCommand
{
    public static int Run(ReadOnlySpan<string> args)
    {
        var arguments = Arguments.Parse(args, ["--spec", "--data", "--out", "--device", "--threads", "--cache"], ["--resume"]);
        var spec = Specs.ReadFile(arguments.Required("--spec"));
        string output = Path.GetFullPath(arguments.Text("--out") ?? Path.Combine("runs", spec.Name));
        string? newest = CheckpointFolder.List(Path.Combine(output, "checkpoints")).LastOrDefault();
        if (newest is not null && !arguments.Has("--resume"))
        {
            throw new BadInputException($"{output} has checkpoints already. Give --resume to go on from {Path.GetFileName(newest)}, or another --out.");
        }

        Directory.CreateDirectory(output);
        var sink = new HumanSink(Console.Out, TimeProvider.System);
        using var control = new TrainerControl();
        using var signals = new StopSignals(control);
        var job = new TrainerJob
        {
            Spec = spec,
            DatasetPath = Path.GetFullPath(arguments.Text("--data") ?? spec.Data.Dataset),
            CachePath = Path.GetFullPath(arguments.Text("--cache") ?? Path.Combine(output, "data")),
            WorkPath = output,
            StartPath = spec.StartFrom.Length > 0 ? Path.GetFullPath(spec.StartFrom) : null,
            Device = arguments.Text("--device") ?? "cpu",
            Threads = arguments.Integer("--threads", 0, 0, 1024),
        };
        return new AloneRun(sink, control, TimeProvider.System).Run(job);
    }
}
