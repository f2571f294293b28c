using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Qovaryx check 9 on the recipe's stages, and a whole run whose rows grow: its data, its memory of where it is, its rates.</summary>
public sealed class Check09_CurriculumTests : IDisposable
{
    private static readonly LengthCurriculum Published = new([new(512, 1000), new(1024, 3000), new(2048, 10000), new(4096, LengthCurriculum.Forever)]);

    private readonly TempFolder _folder = new();

    // Rows of 8 for five steps, of 16 for four, of 32 to the end; checkpoints after steps 4, 8 and 12.
    private static RunSpec Growing => TinyRun.Spec(s => s with
    {
        Data = s.Data with { SeqLen = 32 },
        Train = s.Train with { MicroBatch = 2, LengthCurriculum = new LengthCurriculum([new(8, 5), new(16, 9), new(32, LengthCurriculum.Forever)]) },
    });

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, 512)]
    [InlineData(999, 512)]
    [InlineData(1000, 1024)]
    [InlineData(2999, 1024)]
    [InlineData(3000, 2048)]
    [InlineData(10000, 4096)]
    public void Check09_the_recipes_lengths_hold_at_their_steps_and_a_step_has_the_same_tokens(long step, int length)
    {
        var spec = TinyRun.Spec(s => s with
        {
            Data = s.Data with { SeqLen = 4096 },
            Train = s.Train with { Steps = 20_000, BatchTokens = 16_384, LengthCurriculum = Published },
        });

        var shape = BatchShape.At(spec, microRows: 2, step);

        Assert.Equal(length, shape.Length);
        Assert.Equal((16_384, 2 * 4096, 2), (shape.Rows * shape.Length, shape.MicroRows * shape.Length, shape.MicroBatches));
    }

    [Fact]
    public void Check09_a_run_grows_its_rows_and_says_so_at_each_stage()
    {
        var sink = Train("straight", null, new TrainerControl());

        Assert.IsType<DoneEvent>(sink.All[^1]);
        Assert.Equal(
            [
                "Stage 1 of 3 from step 1 on: 16 rows of 8 tokens, 8 at a time.",
                "Stage 2 of 3 from step 6 on: 8 rows of 16 tokens, 4 at a time.",
                "Stage 3 of 3 from step 10 on: 4 rows of 32 tokens, 2 at a time.",
            ],
            sink.Of<LogEvent>().Select(e => e.Text));
        Assert.Equal(Enumerable.Range(1, TinyRun.Steps).Select(i => 128L * i), sink.Of<StepEvent>().Select(e => e.Tokens));
        Assert.Equal([0, 1, 2], new long[] { 4, 8, 12 }.Select(step => State("straight", step).Stage));
    }

    [Fact]
    public void Check09_a_rate_over_tokens_is_the_rate_over_steps()
    {
        var sink = Train("straight", null, new TrainerControl());
        var optimizer = Growing.Optimizer;

        var byTokens = sink.Of<StepEvent>().Select(e => optimizer.Lr * Schedules.Factor(optimizer, (e.Tokens - 1) / 128, 12 * 128 / 128));

        Assert.Equal(byTokens, sink.Of<StepEvent>().Select(e => e.Lr));
    }

    [Fact]
    public void Check09_stopped_in_one_stage_and_resumed_into_the_next_ends_with_the_same_trace()
    {
        string trace = Train("straight", null, new TrainerControl()).Of<DoneEvent>()[0].Trace;
        foreach (long stop in (long[])[3, 5, 7, 9])
        {
            string work = $"stop-{stop}";
            using var control = new TrainerControl();
            var stopped = Train(work, null, control, stopAfter: stop);
            Assert.Equal(stop, Assert.IsType<StoppedEvent>(stopped.All[^1]).Step);

            var resumed = Train(work, CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), stop), new TrainerControl());

            Assert.Equal(trace, Assert.IsType<DoneEvent>(resumed.All[^1]).Trace);
        }
    }

    [Fact]
    public void Going_on_with_other_stages_is_said_field_by_field()
    {
        Train("straight", null, new TrainerControl());
        var other = Growing with { Train = Growing.Train with { LengthCurriculum = new LengthCurriculum([new(8, 6), new(32, LengthCurriculum.Forever)]) } };
        var sink = new ListSink();
        using var control = new TrainerControl();

        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, "other", other, CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 4)));

        Assert.Equal(
            "The checkpoint's train.length_curriculum was 8:5, 16:9, 32 and is 8:6, 32: the run goes on with other rows than it would have read.",
            sink.Of<LogEvent>()[0].Text);
    }

    [Fact]
    public void Each_stage_has_its_own_order_from_its_own_first_epoch()
    {
        using var data = Open(Growing);
        using var second = Open(Growing with { Train = Growing.Train with { LengthCurriculum = new LengthCurriculum([new(8, 3), new(16, 9), new(32, LengthCurriculum.Forever)]) } });
        using var plain = Open(Growing with { Data = Growing.Data with { SeqLen = 8 }, Train = Growing.Train with { LengthCurriculum = LengthCurriculum.None } });

        Assert.Equal(plain.Batch(4).Ids, data.Batch(4).Ids);
        Assert.Equal(second.Batch(3).Ids, data.Batch(5).Ids);
        Assert.NotEqual(data.Batch(5).Ids, data.Batch(6).Ids);
        Assert.Equal((16, 8), (data.Batch(5).Length, data.Batch(5).Count));
        Assert.Equal(32, data.Validation(6).Length);
    }

    [Fact]
    public void A_stage_longer_than_the_familys_rows_is_refused_by_the_curriculums_name()
    {
        var spec = Growing with { Train = Growing.Train with { BatchTokens = 512, MicroBatch = 0, LengthCurriculum = new LengthCurriculum([new(8, 5), new(512, LengthCurriculum.Forever)]) } };

        var error = Assert.Single(RunChecks.Validate(System.Text.Json.JsonSerializer.SerializeToElement(spec, Json.Wire)).Errors);

        Assert.Equal(("train.length_curriculum", "512", "8 to 256"), (error.Field, error.Value, error.Allowed));
        Assert.Equal("512, the last length of train.length_curriculum, is over Qovaryx nano's longest, 256. Allowed: 8 to 256.", error.Message);
    }

    [Fact]
    public void A_device_must_hold_the_longest_rows()
    {
        var plan = Families.Plan(Growing.Model, [])!;
        var plain = Growing with { Train = Growing.Train with { LengthCurriculum = LengthCurriculum.None } };

        Assert.Equal(RunChecks.Fit(plan, plain, 1L << 34, Hardware.DeviceKind.Cpu), RunChecks.Fit(plan, Growing, 1L << 34, Hardware.DeviceKind.Cpu));
    }

    private ListSink Train(string work, string? resume, TrainerControl control, long stopAfter = long.MaxValue)
    {
        var sink = new ListSink(e =>
        {
            if (e is StepEvent step && step.Step == stopAfter)
            {
                control.Stop("the test");
            }
        });
        using (control)
        {
            new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, Growing, resume));
        }

        return sink;
    }

    private ShardData Open(RunSpec spec) => ShardData.Open(TinyRun.Job(_folder, "data", spec), 300, new ListSink(), new TrainerControl());

    private TrainState State(string work, long step) =>
        CheckpointFolder.ReadJson<TrainState>(CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), step), CheckpointFolder.StateName);
}
