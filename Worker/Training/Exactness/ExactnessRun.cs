using Hearth.Models;
using Hearth.Protocol;
using Hearth.Training.Protocol;

namespace Hearth.Training.Exactness;

/// <summary>What a run left behind that another must equal: its trace after each step and the bits of its weights after the last.</summary>
internal sealed class ExactnessRun
{
    private readonly SortedDictionary<long, string> _traces = [];
    private (string Name, ulong Bits)[] _weights = [];

    private ExactnessRun()
    {
    }

    /// <summary>Recordings that were made in it.</summary>
    internal int Recordings { get; private set; }

    /// <summary>Folder of its checkpoint; null where it wrote none.</summary>
    internal string? Checkpoint { get; private set; }

    /// <summary>Why it says nothing about exactness; null where it ran as it should.</summary>
    internal string? Failure { get; private set; }

    /// <summary>The trace after the last step.</summary>
    internal string Trace => _traces.Values.LastOrDefault() ?? "none";

    /// <summary>
    /// Takes a job the trainer's own way, data, model, checkpoint and steps. Once its last step is done the run is left as it stands, as one
    /// that is killed there: no last evaluation, no last checkpoint.
    /// </summary>
    /// <param name="job">The run.</param>
    /// <param name="record">How its passes are recorded; null = they are launched.</param>
    internal static ExactnessRun Of(TrainerJob job, RecordWork? record)
    {
        var run = new ExactnessRun();
        LanguageModel? model = null;
        StepRecorder? recorder = null;
        RecordWork? counted = record is null ? null : work =>
        {
            run.Recordings++;
            return record(work);
        };
        using var control = new TrainerControl();
        var sink = new Watch(run, job.Spec.Train.Steps, () => run._weights = [.. model!.NamedParameters.Select(p => (p.Name, TensorDigest.Of(p.Value)))]);
        var runner = new JobRunner(sink, control, TimeProvider.System)
        {
            KeepLast = job.Spec.Checkpoint.KeepLast,
            Recorder = built =>
            {
                model = built;
                return recorder = new StepRecorder(built, counted);
            },
        };
        runner.Run(job);
        run.Failure ??= run._weights.Length == 0 ? "it did not come to its last step"
            : recorder?.Refusal is { } refusal ? $"its steps were not recorded: {refusal}"
            : record is not null && run.Recordings == 0 ? "none of its steps was recorded"
            : null;
        return run;
    }

    /// <summary>What differs from a run that has all the steps that this one has; null where all bits are equal.</summary>
    internal string? DifferenceFrom(ExactnessRun other)
    {
        if ((Failure ?? other.Failure) is { } failure)
        {
            return failure;
        }

        var apart = _traces.FirstOrDefault(step => other._traces.GetValueOrDefault(step.Key) != step.Value);
        string[] weights = [.. _weights.Zip(other._weights).Where(pair => pair.First != pair.Second).Select(pair => pair.First.Name)];
        string? trace = apart.Value is null ? null : $"losses differ from step {apart.Key} on, trace {Trace} instead of {other.Trace}";
        string? bits = weights.Length == 0 ? null : $"{weights.Length} of {_weights.Length} weights differ, the first is {weights[0]}";
        return trace is null && bits is null ? null : string.Join("; ", new[] { trace, bits }.OfType<string>());
    }

    /// <summary>The run was left after its last step.</summary>
    private sealed class LeftException : Exception;

    /// <summary>Notes what the trainer reports, and leaves the run after its last step.</summary>
    private sealed class Watch(ExactnessRun run, int steps, Action end) : IEventSink
    {
        private bool _left;

        public void Emit(TrainerEvent e)
        {
            switch (e)
            {
                case StepEvent step:
                    run._traces[step.Step] = step.Trace;
                    if (step.Step == steps)
                    {
                        end();
                        _left = true;
                        throw new LeftException();
                    }

                    break;
                case SkippedEvent skipped:
                    run.Failure ??= skipped.What;
                    break;
                case CheckpointEvent saved:
                    run.Checkpoint = saved.Path;
                    break;
                case CheckpointFailedEvent failed:
                    run.Failure ??= $"its checkpoint could not be written: {failed.Reason}";
                    break;
                case FailedEvent failed when !_left:
                    run.Failure ??= failed.Message;
                    break;
            }
        }
    }
}
