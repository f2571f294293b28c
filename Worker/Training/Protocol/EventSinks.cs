using System.Text;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Training.Protocol;

/// <summary>Where a trainer reports; called from the trainer's thread, the checkpoint writer's and the command reader's.</summary>
public interface IEventSink
{
    /// <summary>Reports one event. Never throws for a reader that is gone.</summary>
    void Emit(TrainerEvent e);
}

/// <summary>One JSON line per event, flushed, so that a killed trainer leaves only whole lines behind.</summary>
public sealed class JsonLinesSink(Stream output) : IEventSink
{
    private readonly Lock _gate = new();

    public void Emit(TrainerEvent e)
    {
        // The base type is named so that the discriminator is written.
        byte[] line = Encoding.UTF8.GetBytes(JsonSerializer.Serialize<TrainerEvent>(e, Json.Wire) + "\n");
        lock (_gate)
        {
            try
            {
                output.Write(line);
                output.Flush();
            }
            catch (IOException)
            {
                // The agent is gone. Its end of standard input says so too and leads to an orderly stop.
            }
        }
    }
}

/// <summary>Progress lines for a person at a shell.</summary>
public sealed class HumanSink(TextWriter output, TimeProvider clock) : IEventSink
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly Lock _gate = new();
    private long _total;
    private long _firstStep;
    private long _lastLine;
    private long _began;

    public void Emit(TrainerEvent e)
    {
        lock (_gate)
        {
            if (Line(e) is { } line)
            {
                output.WriteLine(line);
                output.Flush();
            }
        }
    }

    private string? Line(TrainerEvent e) => e switch
    {
        StartingEvent s => $"{s.What} {s.Fraction:P0}",
        PreparedEvent p => $"tokenised into {p.Path}",
        StartedEvent s => Begin(s),
        StepEvent s => Progress(s),
        SkippedEvent k => $"warning: {k.What} Skipped; {k.Skipped} so far.",
        EvalEvent v => $"step {v.Step}  validation loss {v.Loss:F4}{string.Concat(v.Terms?.Select(term => $"  {term.Key} {term.Value:F4}") ?? [])}  ({v.Seconds:F1} s)",
        SampleEvent s => $"step {s.Step}  sample: {s.Prompt}{s.Text}",
        CheckpointEvent c => $"step {c.Step}  checkpoint {c.Path}  (pause {c.PauseSeconds * 1000:F0} ms, write {c.WriteSeconds:F1} s)",
        CheckpointFailedEvent c => $"step {c.Step}  checkpoint FAILED: {c.Reason}",
        LogEvent l => l.Level == LogLevel.Debug ? null : $"{l.Level.ToString().ToLowerInvariant()}: {l.Text}",
        DoneEvent d => $"done at step {d.Step}  loss {d.FinalLoss:F4}{(d.ValidationLoss is { } loss ? $"  validation {loss:F4}" : "")}  trace {d.Trace}  {DoneWords.Of(d)}",
        StoppedEvent s => $"stopped at step {s.Step}  trace {s.Trace}; run again with --resume to go on",
        FailedEvent f => $"failed ({f.Code}) at step {f.Step}: {f.Message}",
        _ => null,
    };

    private string Begin(StartedEvent s)
    {
        _total = s.TotalSteps;
        _firstStep = s.Step;
        _began = clock.GetTimestamp();
        _lastLine = 0;
        return $"{s.Parameters:N0} parameters on {s.Device}, step {s.Step} of {s.TotalSteps}, {s.Accumulation} x {s.MicroBatch} rows a step, trace {s.Trace}{(s.Exact ? "" : ", not exact")}";
    }

    private string? Progress(StepEvent s)
    {
        if (_lastLine != 0 && clock.GetElapsedTime(_lastLine) < Interval && s.Step != _total)
        {
            return null;
        }

        _lastLine = clock.GetTimestamp();
        double perStep = clock.GetElapsedTime(_began).TotalSeconds / Math.Max(1, s.Step - _firstStep);
        var left = TimeSpan.FromSeconds(perStep * (_total - s.Step));
        return $"step {s.Step}/{_total}  loss {s.Loss:F4}  lr {s.Lr:E2}  norm {s.GradNorm:F2}  {s.TokensPerSecond:N0} tok/s  left {left:hh\\:mm\\:ss}";
    }
}
