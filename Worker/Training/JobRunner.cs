using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using Hearth.Training.Protocol;

namespace Hearth.Training;

/// <summary>One attempt from its job to its exit code: check, prepare, build, load, train. Every way out is one event.</summary>
public sealed class JobRunner(IEventSink sink, TrainerControl control, TimeProvider clock)
{
    private long _step;
    private string _trace = TraceHash.Empty.ToString();
    private (MemoryFit Fit, int Rows)? _memory;

    /// <summary>Complete checkpoints to keep; 0 leaves pruning to the agent.</summary>
    public int KeepLast { get; init; }

    /// <summary>Opens checkpoint files; null = on disk.</summary>
    public Func<string, Stream>? Open { get; init; }

    /// <summary>Free memory of a device; null = as the device says. Tests give a small one.</summary>
    public Func<TorchSharp.torch.Device, long>? FreeBytes { get; init; }

    /// <summary>Makes what runs a model's passes; null = <see cref="StepRecorder"/> as the device allows. The selftest counts recordings, and launches on a card.</summary>
    public Func<LanguageModel, StepRecorder>? Recorder { get; init; }

    /// <summary>How the run can go on after <see cref="ExitCodes.OutOfMemory"/>; null where nothing is left to try.</summary>
    public SmallerSteps? Smaller { get; private set; }

    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public int Run(TrainerJob job)
    {
        try
        {
            return RunChecked(job);
        }
        catch (OperationCanceledException) when (control.StopRequested)
        {
            // Before the first step there is nothing to write: what the run resumes from is still there.
            sink.Emit(new StoppedEvent(_step, _trace));
            return ExitCodes.Stopped;
        }
        catch (Exception e)
        {
            var (code, exit) = Failures.Classify(e);
            if (exit == ExitCodes.Crashed)
            {
                sink.Emit(new LogEvent(LogLevel.Error, e.ToString()));
            }

            string message = e.Message;
            if (exit == ExitCodes.OutOfMemory && _memory is { } memory)
            {
                DeviceMemory.GiveBack(TorchSharp.torch.device(job.Device));
                message = memory.Fit.RanOut(memory.Rows, message);
                Smaller = SmallerSteps.After(memory.Fit.BatchRows, memory.Rows, memory.Fit.Spec.Train.Recompute == "block");
            }

            sink.Emit(new FailedEvent(code, message, _step) { PeakMemoryBytes = _memory is null ? null : PeakOf(TorchSharp.torch.device(job.Device)) });
            return exit;
        }
    }

    private static long? PeakOf(TorchSharp.torch.Device device)
    {
        try
        {
            return DeviceFacts.PeakBytes(device);
        }
        catch (Exception)
        {
            // A card that has failed may not answer: why it failed is told all the same.
            return null;
        }
    }

    private void WarnIfInexact(TrainState state, TrainerJob job)
    {
        if (!state.Exact)
        {
            sink.Emit(new LogEvent(LogLevel.Warning, job.Spec.Train.Exact
                ? "Steps before this start were taken with train.exact false: the run is not exact, and another cannot repeat its trace."
                : "train.exact is false: the run is not exact, and neither another run nor this one resumed repeats its bits."));
        }
    }

    private int RunChecked(TrainerJob job)
    {
        string root = Path.Combine(job.WorkPath, "checkpoints");
        CheckpointFolder.Clean(root);
        if (job.ResumePath is { } resume)
        {
            sink.Emit(new StartingEvent("verifying the checkpoint", 0));
            var manifest = CheckpointFolder.Verify(resume);
            (_step, _trace) = (manifest.Step, manifest.Trace);
        }

        using var session = TrainSession.Open(job, sink, control, FreeBytes, Recorder);
        _memory = (session.Fit, session.MicroRows);
        var checkpoints = new CheckpointWriter(root, sink, clock, Open) { KeepLast = KeepLast };
        try
        {
            var state = session.NewState();
            if (job.ResumePath is { } path)
            {
                sink.Emit(new StartingEvent("loading the checkpoint", 0));
                state = session.Load(path, sink);
                checkpoints.StartFrom(new CheckpointPlace(path, state.Step, state.Trace));
            }

            control.ThrowIfStopped();
            sink.Emit(new StartedEvent(
                state.Step, job.Spec.Train.Steps, session.Plan.Parameters, state.Trace, job.Device, session.MicroRows, session.ShapeAt(state.Step).MicroBatches) { Exact = state.Exact });
            WarnIfInexact(state, job);
            string?[] notices = state.Step > 0 ? [] : [session.Model.TrainingNotice, AverageNotice.Of(job.Spec)];
            foreach (string notice in notices.OfType<string>())
            {
                sink.Emit(new LogEvent(LogLevel.Warning, notice));
            }

            // What tokenising, building and loading held is not what training holds.
            DeviceMemory.RestartPeak(session.Device);
            var trainer = new Trainer(session, checkpoints, sink, control, clock);
            return trainer.Run(state) ? ExitCodes.Done : ExitCodes.Stopped;
        }
        finally
        {
            // A failing run still lets its last write end: a checkpoint is worth the wait.
            checkpoints.Wait();
            _step = Math.Max(_step, checkpoints.Last?.Step ?? 0);
        }
    }
}
