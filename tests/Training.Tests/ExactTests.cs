using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>A run is exact unless its spec says otherwise, and one that is not is labelled wherever its bits are shown.</summary>
public sealed class ExactTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_run_is_exact_when_nothing_is_said()
    {
        var sink = Run("plain", TinyRun.Spec(s => s with { Train = s.Train with { Steps = 4 } }));

        Assert.True(Assert.Single(sink.Of<StartedEvent>()).Exact);
        Assert.DoesNotContain(sink.Of<LogEvent>(), e => e.Text.Contains("not exact", StringComparison.Ordinal));
        Assert.True(State("plain").Exact);
    }

    [Fact]
    public void A_run_that_need_not_be_exact_is_labelled_at_its_start_and_in_its_checkpoint_and_stays_so()
    {
        RunSpec Spec(bool exact, int steps) => TinyRun.Spec(s => s with { Train = s.Train with { Steps = steps, Exact = exact } });
        var first = Run("free", Spec(exact: false, 4));

        Assert.False(Assert.Single(first.Of<StartedEvent>()).Exact);
        Assert.Contains(first.Of<LogEvent>(), e => e.Level == LogLevel.Warning && e.Text.StartsWith("train.exact is false: the run is not exact", StringComparison.Ordinal));
        Assert.False(State("free").Exact);

        var resumed = Run("onward", Spec(exact: true, 8), Newest("free"));

        Assert.False(Assert.Single(resumed.Of<StartedEvent>()).Exact);
        Assert.Contains(resumed.Of<LogEvent>(), e => e.Text.StartsWith("Steps before this start were taken with train.exact false", StringComparison.Ordinal));
        Assert.False(State("onward").Exact);
    }

    private ListSink Run(string work, RunSpec spec, string? resume = null)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        Assert.Equal(ExitCodes.Done, new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, spec, resume)));
        return sink;
    }

    private string Newest(string work) => CheckpointFolder.List(_folder.At(work, "checkpoints"))[^1];

    private TrainState State(string work) => CheckpointFolder.ReadJson<TrainState>(Newest(work), CheckpointFolder.StateName);
}
