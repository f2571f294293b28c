using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>The tiny run, done once without interruption; others compare with it and share its prepared dataset.</summary>
public sealed class StraightRun : IDisposable
{
    public StraightRun()
    {
        Sink = new ListSink();
        Exit = new JobRunner(Sink, Control, TimeProvider.System).Run(TinyRun.Job(Folder, "straight"));
        Assert.True(Exit == ExitCodes.Done, string.Join("\n", Sink.All));
    }

    internal TempFolder Folder { get; } = new();
    internal TrainerControl Control { get; } = new();
    internal ListSink Sink { get; }
    public int Exit { get; }
    public string Trace => Sink.Of<DoneEvent>()[0].Trace;

    public string Checkpoint(long step) => CheckpointFolder.PathOf(Folder.At("straight", "checkpoints"), step);

    internal ListSink Run(string work, string? resume, TrainerControl control, RunSpec? spec = null)
    {
        var sink = new ListSink();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(Folder, work, spec, resume));
        return sink;
    }

    public void Dispose()
    {
        Control.Dispose();
        Folder.Dispose();
    }
}

/// <summary>Counts how often the trainer asks whether to stop, and stops at the n-th time.</summary>
internal sealed class CountingControl(int stopAt = int.MaxValue) : TrainerControl
{
    private int _polls;

    public int Polls => _polls;

    public override bool StopRequested
    {
        get
        {
            if (++_polls == stopAt)
            {
                Stop($"poll {stopAt}");
            }

            return base.StopRequested;
        }
    }
}
