using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Hearth.Training.Protocol;

namespace Hearth.Training;

/// <summary>
/// A run without a coordinator, which would choose checkpoints and sizes for it: it goes on from the newest good checkpoint, and after
/// running out of memory with fewer rows at a time, then with recomputed blocks, as a run in a pool does.
/// </summary>
public sealed class AloneRun(IEventSink sink, TrainerControl control, TimeProvider clock)
{
    /// <summary>Free memory of a device; null = as the device says.</summary>
    public Func<TorchSharp.torch.Device, long>? FreeBytes { get; init; }

    /// <param name="job">What to run; the checkpoint to go on from is found in its folder.</param>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    /// <exception cref="BadInputException">There are checkpoints, and none of them can be used.</exception>
    public int Run(TrainerJob job)
    {
        while (true)
        {
            var runner = new JobRunner(sink, control, clock) { KeepLast = job.Spec.Checkpoint.KeepLast, FreeBytes = FreeBytes };
            int exit = runner.Run(job with { ResumePath = NewestGood(job.WorkPath) });
            if (exit != ExitCodes.OutOfMemory || control.StopRequested || runner.Smaller is not { } smaller)
            {
                return exit;
            }

            sink.Emit(new LogEvent(LogLevel.Warning, $"Out of memory; {smaller}"));
            job = job with { MicroBatch = smaller.MicroBatch, Spec = smaller.Of(job.Spec) };
        }
    }

    // A corrupt one is refused by name and the one before it is tried. Where all are corrupt nothing begins anew: its checkpoints would take their place.
    private string? NewestGood(string work)
    {
        string folder = Path.Combine(work, "checkpoints");
        string[] found = [.. CheckpointFolder.List(folder).Reverse()];
        foreach (string path in found)
        {
            try
            {
                CheckpointFolder.Verify(path);
                return path;
            }
            catch (CorruptCheckpointException e)
            {
                sink.Emit(new LogEvent(LogLevel.Warning, $"Refused a checkpoint: {e.Message}{(path == found[^1] ? "" : " The one before it is tried.")}"));
            }
        }

        return found.Length == 0
            ? null
            : throw new BadInputException($"None of the checkpoints in {folder} can be used ({found.Length} refused). Put a whole one back, or give another --out to begin anew.");
    }
}
