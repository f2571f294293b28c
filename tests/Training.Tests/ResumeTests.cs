using Hearth.Protocol;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Interrupted and resumed equals straight through: the same trace and the same bytes in the last checkpoint.</summary>
public sealed class ResumeTests(StraightRun straight) : IClassFixture<StraightRun>
{
    [Fact]
    public void A_straight_run_emits_each_step_once_and_ends_with_its_checkpoint()
    {
        Assert.Equal(Enumerable.Range(1, TinyRun.Steps).Select(i => (long)i), straight.Sink.Of<StepEvent>().Select(e => e.Step));
        Assert.Equal([4L, 8, 12], straight.Sink.Of<CheckpointEvent>().Select(e => e.Step));
        Assert.Equal([5L, 10, 12], straight.Sink.Of<EvalEvent>().Select(e => e.Step));
        Assert.Equal([6L, 12], straight.Sink.Of<SampleEvent>().Select(e => e.Step));
        Assert.IsType<DoneEvent>(straight.Sink.All[^1]);
        Assert.True(straight.Sink.Of<StepEvent>()[^1].Loss < straight.Sink.Of<StepEvent>()[0].Loss);
    }

    [Fact]
    public void The_learning_rate_is_the_schedules_also_after_a_resume()
    {
        double[] rates = [.. straight.Sink.Of<StepEvent>().Select(e => e.Lr)];
        Assert.Equal(TinyRun.Spec().Optimizer.Lr, rates.Max(), 12);
        Assert.True(rates[0] < rates[1] && rates[1] < rates[2], "the warm-up rises");
        Assert.True(rates[^1] < rates[5], "the cosine falls");

        var resumed = Resume(straight.Checkpoint(8), "rates", new TrainerControl());

        Assert.Equal(rates[8..], resumed.Of<StepEvent>().Select(e => e.Lr));
    }

    [Fact]
    public void Resuming_from_each_checkpoint_ends_with_the_same_trace_and_bytes()
    {
        foreach (long step in (long[])[4, 8])
        {
            var sink = Resume(straight.Checkpoint(step), $"from-{step}", new TrainerControl());
            AssertSameEnd($"from-{step}", sink);
        }
    }

    [Fact]
    public void A_run_that_waits_at_a_step_is_evaluated_there_and_goes_on_to_the_same_trace_and_bytes()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        int exit = new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(straight.Folder, "waits") with { PauseAtStep = 7 });

        Assert.Equal(ExitCodes.Stopped, exit);
        Assert.Equal(7, Assert.IsType<StoppedEvent>(sink.All[^1]).Step);
        Assert.Equal([5L, 7], sink.Of<EvalEvent>().Select(e => e.Step));

        // One that is placed again before it may go on has nothing to do.
        var again = new ListSink();
        using var second = new TrainerControl();
        string at = CheckpointFolder.PathOf(straight.Folder.At("waits", "checkpoints"), 7);
        new JobRunner(again, second, TimeProvider.System).Run(TinyRun.Job(straight.Folder, "waits-still", null, at) with { PauseAtStep = 7 });
        Assert.Empty(again.Of<StepEvent>());
        Assert.Equal(7, Assert.IsType<StoppedEvent>(again.All[^1]).Step);

        AssertSameEnd("waits-on", Resume(at, "waits-on", new TrainerControl()));
    }

    /// <summary>Two micro-batches a step; the tied embedding's gradients then add up in another order, and nothing else differs.</summary>
    [Fact]
    public void A_run_that_recomputes_blocks_resumes_exactly_and_trains_as_one_that_does_not()
    {
        var spec = TinyRun.Spec(s => s with { Train = s.Train with { Recompute = "block" } });
        using var control = new TrainerControl();
        var whole = straight.Run("blocks", null, control, spec);
        var resumed = straight.Run("blocks-from-8", CheckpointFolder.PathOf(straight.Folder.At("blocks", "checkpoints"), 8), control, spec);

        Assert.Equal(whole.Of<StepEvent>()[^1].Trace, resumed.Of<StepEvent>()[^1].Trace);
        Assert.Equal(straight.Sink.Of<StepEvent>()[0].Trace, whole.Of<StepEvent>()[0].Trace);
        foreach (var (plain, blocks) in straight.Sink.Of<StepEvent>().Zip(whole.Of<StepEvent>()))
        {
            Assert.Equal(plain.Loss, blocks.Loss, 1e-4);
        }
    }

    /// <summary>The polls cover micro-steps, validation batches and sampled tokens; each of them is tried as the one that stops.</summary>
    [Fact]
    public void Stopping_at_any_poll_and_resuming_ends_with_the_same_trace_and_bytes()
    {
        // Counted anew: the first run also asked while it prepared the dataset, which the others find done.
        using var counted = new CountingControl();
        straight.Run("counted", null, counted);
        int polls = counted.Polls;
        Assert.True(polls > TinyRun.Steps * 2, $"only {polls} polls");
        for (int at = 1, n = 0; at < polls; at += 11, n++)
        {
            string work = $"stop-{n}";
            using var control = new CountingControl(stopAt: at);
            var stopped = straight.Run(work, null, control);
            var end = Assert.IsType<StoppedEvent>(stopped.All[^1]);
            string? newest = CheckpointFolder.List(straight.Folder.At(work, "checkpoints")).LastOrDefault();
            Assert.Equal(end.Step, newest is null ? 0 : CheckpointFolder.Verify(newest).Step);

            var sink = Resume(newest, work, new TrainerControl());
            AssertSameEnd(work, sink);
            Assert.Equal(Enumerable.Range((int)end.Step + 1, TinyRun.Steps - (int)end.Step).Select(i => (long)i), sink.Of<StepEvent>().Select(e => e.Step));
        }
    }

    [Fact]
    public void Stopping_during_preparation_leaves_no_prepared_dataset_and_says_step_0()
    {
        using var folder = new TempFolder();
        using var control = new TrainerControl();
        var sink = new ListSink(e =>
        {
            if (e is StartingEvent)
            {
                control.Stop("test");
            }
        });

        int exit = new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(folder, "work"));

        Assert.Equal(ExitCodes.Stopped, exit);
        Assert.Equal(0, Assert.IsType<StoppedEvent>(sink.All[^1]).Step);
        Assert.Empty(sink.Of<PreparedEvent>());
        Assert.Empty(sink.Of<StepEvent>());
    }

    private ListSink Resume(string? checkpoint, string work, TrainerControl control)
    {
        using (control)
        {
            return straight.Run(work, checkpoint, control);
        }
    }

    private void AssertSameEnd(string work, ListSink sink)
    {
        var done = Assert.IsType<DoneEvent>(sink.All[^1]);
        Assert.Equal(straight.Trace, done.Trace);
        string here = CheckpointFolder.PathOf(straight.Folder.At(work, "checkpoints"), TinyRun.Steps);
        foreach (string name in (string[])[CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName, CheckpointFolder.ConfigName])
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(straight.Checkpoint(TinyRun.Steps), name)), File.ReadAllBytes(Path.Combine(here, name)));
        }

        Assert.Equal(Deciding(straight.Checkpoint(TinyRun.Steps)), Deciding(here));
    }

    // A stop between the last step and its evaluation or sample leaves those to the resumed run; they decide no later step.
    private static TrainState Deciding(string folder) => CheckpointFolder.ReadJson<TrainState>(folder, CheckpointFolder.StateName) with
    {
        EvalStep = 0,
        EvalLoss = null,
        BestEvalStep = 0,
        BestEvalLoss = null,
        SampleStep = 0,
    };
}
