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
        var runner = new JobRunner(sink, control, TimeProvider.System) { KeepLast = spec.Checkpoint.KeepLast };
        var job = new TrainerJob
        {
            Spec = spec,
            DatasetPath = Path.GetFullPath(arguments.Text("--data") ?? spec.Data.Dataset),
            CachePath = Path.GetFullPath(arguments.Text("--cache") ?? Path.Combine(output, "data")),
            WorkPath = output,
            ResumePath = newest,
            Device = arguments.Text("--device") ?? "cpu",
            Threads = arguments.Integer("--threads", 0, 0, 1024),
        };
        return RunFromNewestGood(runner, job, sink);
    }

    // Alone there is nobody else to choose another checkpoint: a corrupt one is refused by name and the one before it is used.
    private static int RunFromNewestGood(JobRunner runner, TrainerJob job, HumanSink sink)
    {
        foreach (string path in CheckpointFolder.List(Path.Combine(job.WorkPath, "checkpoints")).Reverse())
        {
            try
            {
                CheckpointFolder.Verify(path);
                return runner.Run(job with { ResumePath = path });
            }
            catch (CorruptCheckpointException e)
            {
                sink.Emit(new LogEvent(LogLevel.Warning, $"Refused a checkpoint: {e.Message} The one before it is used."));
            }
        }

        return runner.Run(job with { ResumePath = null });
    }
}
