using Hearth.Hardware;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>A run alone fits itself to its device, and every end of memory leads somewhere.</summary>
public sealed class MemoryTests(StraightRun straight) : IClassFixture<StraightRun>
{
    private static readonly RunSpec Free = TinyRun.Spec(s => s with { Train = s.Train with { MicroBatch = 0 } });

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    [InlineData(1)]
    public void A_run_that_leaves_its_rows_open_takes_as_many_as_the_free_memory_holds_by_the_pools_forecast(int rows)
    {
        long free = Holding(rows);

        var started = Assert.Single(Run($"rows-{rows}", Free, free).Of<StartedEvent>());

        Assert.Equal((rows, 8 / rows), (started.MicroBatch, started.Accumulation));
        Assert.Equal(rows, RunChecks.Fit(Plan, Free, free, Hardware.DeviceKind.Cpu).MicroBatch);
    }

    [Fact]
    public void Where_by_forecast_nothing_fits_it_tries_one_row_and_says_so()
    {
        var sink = Run("nothing", Free, 1L << 20);

        Assert.Equal(1, Assert.Single(sink.Of<StartedEvent>()).MicroBatch);
        Assert.Contains(sink.Of<LogEvent>(), e => e.Level == LogLevel.Warning && e.Text.StartsWith("Needs 0.3 GB even at one row at a time", StringComparison.Ordinal));
        Assert.IsType<DoneEvent>(sink.All[^1]);
    }

    [Fact]
    public void A_resume_keeps_the_rows_of_its_checkpoint_whatever_is_free()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System) { FreeBytes = _ => 1L << 40 }.Run(TinyRun.Job(straight.Folder, "kept", Free, straight.Checkpoint(8)));

        Assert.Equal(4, Assert.Single(sink.Of<StartedEvent>()).MicroBatch);
        Assert.Equal(straight.Trace, Assert.IsType<DoneEvent>(sink.All[^1]).Trace);
    }

    [Fact]
    public void Out_of_memory_alone_goes_on_from_the_last_checkpoint_with_fewer_rows()
    {
        int full = 0;
        var sink = Alone("once", Free, (e, rows, _) => e is StepEvent { Step: 6 } && rows == 8 && full++ == 0);

        Assert.Equal([(0L, 8), (4L, 4)], sink.Of<StartedEvent>().Select(e => (e.Step, e.MicroBatch)));
        Assert.Contains(sink.Of<LogEvent>(), e => e.Text == "Out of memory; it goes on with 4 rows at a time. Batch and data order stay.");
        Assert.Contains(sink.Of<LogEvent>(), e => e.Text == "The checkpoint's micro_batch was 8 and is 4: from here on not bit-equal.");
        Assert.IsType<DoneEvent>(sink.All[^1]);
        foreach (var (plain, one) in straight.Sink.Of<StepEvent>().Zip(sink.Of<StepEvent>().DistinctBy(e => e.Step)))
        {
            Assert.Equal(plain.Loss, one.Loss, 1e-3);
        }
    }

    [Fact]
    public void After_one_row_it_recomputes_blocks_and_then_ends_with_what_would_fit()
    {
        var helped = Alone("recomputes", Free, (e, _, recomputes) => e is StepEvent && !recomputes);
        var ended = Alone("ends", Free, (e, _, _) => e is StepEvent);

        Assert.Equal([8, 4, 2, 1, 1], helped.Of<StartedEvent>().Select(e => e.MicroBatch));
        Assert.IsType<DoneEvent>(helped.All[^1]);
        string last = CheckpointFolder.PathOf(straight.Folder.At("recomputes", "checkpoints"), TinyRun.Steps);
        Assert.Equal("block", CheckpointFolder.ReadJson<CheckpointConfig>(last, CheckpointFolder.ConfigName).Run.Train.Recompute);
        Assert.Equal([8, 4, 2, 1, 1], ended.Of<StartedEvent>().Select(e => e.MicroBatch));
        var failed = Assert.IsType<FailedEvent>(ended.All[^1]);
        Assert.Equal(FailureCodes.OutOfMemory, failed.Code);
        Assert.Equal(
            "cpu ran out of memory at one row at a time (train.micro_batch), train.recompute: block. "
            + "train.micro_batch: 1 with train.recompute: block needs 0.3 GB by forecast; 1024.0 GB were free. The allocator said: The device is full.",
            failed.Message);
    }

    [Theory]
    [InlineData(48, 16, false, 8, false)]
    [InlineData(7, 7, false, 1, false)]
    [InlineData(7, 1, false, 1, true)]
    [InlineData(8, 2, true, 1, true)]
    public void Fewer_rows_come_first_then_recomputation(int batch, int rows, bool recomputes, int next, bool thenRecomputes) =>
        Assert.Equal(new SmallerSteps(next, thenRecomputes), SmallerSteps.After(batch, rows, recomputes));

    [Fact]
    public void Nothing_is_left_after_one_recomputed_row() => Assert.Null(SmallerSteps.After(8, 1, true));

    [Fact]
    public void A_done_run_says_how_long_it_took_and_the_most_memory_that_it_held()
    {
        var done = straight.Sink.Of<DoneEvent>()[0];

        Assert.True(done.Seconds > 0);
        Assert.True(done.PeakMemoryBytes > 10 << 20);
        Assert.Equal("took 01:02:03, at most 1.50 GB", DoneWords.Of(done with { Seconds = 3723.2, PeakMemoryBytes = 3L << 29 }));
    }

    private static ModelPlan Plan => Families.Plan(Free.Model, new List<FieldError>())!;

    private static long Holding(int rows) => (long)(MemoryForecast.Of(Plan, Free, rows, DeviceKind.Cpu).Total / 0.92) + 2;

    private ListSink Run(string work, RunSpec spec, long free)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System) { FreeBytes = _ => free }.Run(TinyRun.Job(straight.Folder, work, spec));
        return sink;
    }

    // A device that is full whenever the test says so of an event, the rows at a time, and whether blocks are recomputed.
    private ListSink Alone(string work, RunSpec spec, Func<TrainerEvent, int, bool, bool> full)
    {
        int rows = 0;
        bool recomputes = false;
        var sink = new ListSink(e =>
        {
            rows = e is StartedEvent started ? started.MicroBatch : rows;
            recomputes |= e is LogEvent log && log.Text.Contains("recomputed blocks", StringComparison.Ordinal);
            if (full(e, rows, recomputes))
            {
                throw new OutOfMemoryException("The device is full.");
            }
        });
        using var control = new TrainerControl();
        new AloneRun(sink, control, TimeProvider.System) { FreeBytes = _ => 1L << 40 }.Run(TinyRun.Job(straight.Folder, work, spec));
        return sink;
    }
}
