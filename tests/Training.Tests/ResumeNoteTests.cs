using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Whatever decides the next step and is not as it was when the checkpoint was written is said, with both values.</summary>
public sealed class ResumeNoteTests(StraightRun straight) : IClassFixture<StraightRun>
{
    private static readonly RunSpec Spec = TinyRun.Spec();

    [Fact]
    public void A_resume_under_the_same_run_and_device_says_nothing() => Assert.Empty(Notes("same", Spec));

    [Fact]
    public void Changed_fields_are_named_with_both_values_and_what_they_change()
    {
        var other = Spec with
        {
            Train = Spec.Train with { Steps = 14, Recompute = "block" },
            Optimizer = Spec.Optimizer with { Lr = 0.005, Schedule = "wsd", WeightDecay = 0.2, Beta2 = 0.99, GradClip = 0.5 },
            Eval = Spec.Eval with { EverySteps = 2 },
            Checkpoint = Spec.Checkpoint with { EverySteps = 3 },
        };

        Assert.Equal(
            [
                "The checkpoint's optimizer.beta2 was 0.95 and is 0.99: the run goes on otherwise than it began.",
                "The checkpoint's optimizer.grad_clip was 1 and is 0.5: the run goes on otherwise than it began.",
                "The checkpoint's optimizer.lr was 0.01 and is 0.005: the run goes on otherwise than it began.",
                "The checkpoint's optimizer.schedule was cosine and is wsd: the run goes on otherwise than it began.",
                "The checkpoint's optimizer.weight_decay was 0.1 and is 0.2: the run goes on otherwise than it began.",
                "The checkpoint's train.recompute was none and is block: from here on not bit-equal.",
                "The checkpoint's train.steps was 12 and is 14: the run goes on otherwise than it began.",
            ],
            Notes("fields", other).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_field_of_data_train_and_optimizer_is_compared()
    {
        string[] refusedOrShownOtherwise = ["data.dataset", "train.micro_batch", "train.precision", "train.seed"];
        var state = new TrainState();
        foreach (var rule in RunSpecFields.All.Where(r => r.Path.Split('.')[0] is "data" or "train" or "optimizer" && !refusedOrShownOtherwise.Contains(r.Path)))
        {
            var changed = Changed(rule.Path);
            Assert.Contains(ResumeDifference.Between((Spec, state), (changed, state)), d => d.Field == rule.Path && d.Then != d.Now);
        }
    }

    [Fact]
    public void Another_card_and_another_libtorch_are_named_as_not_bit_equal()
    {
        string copy = SealedCopy.Changed<TrainState>(
            straight.Checkpoint(8), straight.Folder.At("card"), CheckpointFolder.StateName, s => s with { DeviceModel = "NVIDIA H200", Libtorch = "2.4.0", Device = "cuda:3" });

        string here = CheckpointFolder.ReadJson<TrainState>(straight.Checkpoint(8), CheckpointFolder.StateName).DeviceModel;
        Assert.Equal(
            [
                $"The checkpoint's device was NVIDIA H200 and is {here}: from here on not bit-equal.",
                $"The checkpoint's libtorch was 2.4.0 and is {DeviceFacts.LibtorchVersion}: from here on not bit-equal.",
            ],
            Notes("card-run", Spec, copy));
        Assert.StartsWith("CPU with ", here, StringComparison.Ordinal);
        Assert.Matches(@"^\d+\.\d+", DeviceFacts.LibtorchVersion);
    }

    [Fact]
    public void A_dataset_is_its_content_wherever_it_lies()
    {
        Assert.Empty(Notes("moved", Spec with { Data = Spec.Data with { Dataset = "elsewhere" } }));

        string copy = SealedCopy.Changed<TrainState>(straight.Checkpoint(8), straight.Folder.At("content"), CheckpointFolder.StateName, s => s with { Dataset = "0123" });
        string note = Assert.Single(Notes("content-run", Spec, copy));
        Assert.StartsWith("The checkpoint's data.dataset was text (0123) and is text (", note, StringComparison.Ordinal);
        Assert.EndsWith("): the run goes on with other rows than it would have read.", note, StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_and_micro_batch_are_said_as_not_bit_equal()
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var job = TinyRun.Job(straight.Folder, "threads", resume: straight.Checkpoint(8)) with { Threads = 2, MicroBatch = 8 };

        new JobRunner(sink, control, TimeProvider.System).Run(job);

        Assert.Equal(
            ["The checkpoint's threads was 1 and is 2: from here on not bit-equal.", "The checkpoint's micro_batch was 4 and is 8: from here on not bit-equal."],
            sink.Of<LogEvent>().Where(e => e.Level == LogLevel.Warning).Select(e => e.Text));
        Assert.IsType<DoneEvent>(sink.All[^1]);
    }

    private static RunSpec Changed(string path)
    {
        var json = System.Text.Json.JsonSerializer.SerializeToNode(Spec, Json.Wire)!;
        string[] names = path.Split('.');
        var rule = RunSpecFields.All.Single(r => r.Path == path);
        var before = json[names[0]]![names[1]]!;
        json[names[0]]![names[1]] = rule.Kind switch
        {
            FieldKind.Integer => (long)before + 1,
            FieldKind.Number => (double)before + 0.001,
            FieldKind.Flag => !(bool)before,
            FieldKind.Stages => "8:1, 16",
            _ => (string)before! + "x",
        };
        return System.Text.Json.JsonSerializer.Deserialize<RunSpec>(json, Json.Wire)!;
    }

    private List<string> Notes(string work, RunSpec spec, string? checkpoint = null)
    {
        using var control = new TrainerControl();
        var sink = straight.Run(work, checkpoint ?? straight.Checkpoint(8), control, spec);
        Assert.IsType<DoneEvent>(sink.All[^1]);
        return [.. sink.Of<LogEvent>().Where(e => e.Level == LogLevel.Warning).Select(e => e.Text)];
    }
}
