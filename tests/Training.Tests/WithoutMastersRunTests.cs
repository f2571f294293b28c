using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Checkpoints;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>A whole run with weights in bf16 alone: what is stored, and that rounding at random resumes exactly.</summary>
public sealed class WithoutMastersRunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Resuming_ends_with_the_same_trace_and_bytes()
    {
        var straight = Run("straight", null);
        var resumed = Run("from-4", CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), 4));

        Assert.Equal(straight.Of<DoneEvent>()[0].Trace, resumed.Of<DoneEvent>()[0].Trace);
        foreach (string name in (string[])[CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName])
        {
            Assert.Equal(Bytes("straight", name), Bytes("from-4", name));
        }
    }

    [Fact]
    public void A_checkpoint_holds_large_weights_in_bf16_and_generates()
    {
        Run("stored", null);
        string last = CheckpointFolder.PathOf(_folder.At("stored", "checkpoints"), TinyRun.Steps);
        using var file = SafetensorsReader.Open(Path.Combine(last, CheckpointFolder.WeightsName));
        var types = file.Entries.ToDictionary(e => e.Name, e => e.Type);

        Assert.Equal(TorchSharp.torch.bfloat16, types["blocks.0.ffn.gate"]);
        Assert.Equal(TorchSharp.torch.float32, types["tok_emb"]);
        Assert.Equal(TorchSharp.torch.float32, types["blocks.0.ffn_norm"]);
        using var scope = TorchSharp.torch.NewDisposeScope();
        Assert.Equal(TorchSharp.torch.float32, TrainedModel.FromCheckpoint(last, TorchSharp.torch.CPU).Model.Weight("blocks.0.ffn.gate").dtype);
    }

    [Fact]
    public void A_run_goes_on_from_an_imported_folder()
    {
        Run("first", null);
        string folder = _folder.At("published"), imported = _folder.At("imported");
        using (TorchSharp.torch.NewDisposeScope())
        {
            PublishedFolder.Write(TrainedModel.FromCheckpoint(CheckpointFolder.PathOf(_folder.At("first", "checkpoints"), TinyRun.Steps), TorchSharp.torch.CPU), folder);
            ImportedCheckpoint.Write(PublishedFolder.Read(folder, TorchSharp.torch.CPU), imported, TinyRun.Spec(Spec));
        }

        var sink = Run("second", imported);

        Assert.True(sink.All[^1] is DoneEvent, string.Join('\n', sink.Of<FailedEvent>()));
        Assert.True(sink.Of<StepEvent>()[0].Loss < 0.9 * Run("anew", null).Of<StepEvent>()[0].Loss);
    }

    [Fact]
    public void Random_rounding_draws_by_the_runs_seed()
    {
        float[] one = AfterAStep(1), again = AfterAStep(1), other = AfterAStep(2);

        Assert.Equal(one, again);
        Assert.NotEqual(one, other);
    }

    private static float[] AfterAStep(long seed)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var spec = TinyRun.Spec(Spec);
        var plan = Models.Families.Plan(spec.Model, new List<FieldError>())!.Under(spec.Train, spec.Optimizer);
        var model = plan.Build(TorchSharp.torch.float32, TorchSharp.torch.CPU, 1, TorchSharp.torch.bfloat16);
        using var optimizer = Hearth.Training.Optim.Optimizer.Create(model, spec.Optimizer, seed);
        foreach (var weight in model.Parameters)
        {
            weight.grad = TorchSharp.torch.ones(weight.shape, weight.dtype);
        }

        optimizer.Step(0.01);
        return model.Weight("blocks.0.ffn.gate").detach().to(TorchSharp.torch.float32).HostArray<float>();
    }

    private static RunSpec Spec(RunSpec spec) => spec with
    {
        Model = spec.Model with { Overrides = new(spec.Model.Overrides) { ["d_ff"] = System.Text.Json.JsonSerializer.SerializeToElement(160) } },
        Train = spec.Train with { Precision = "bf16", Master = "none" },
        Optimizer = spec.Optimizer with { Name = "adamw8bit" },
    };

    private ListSink Run(string work, string? resume)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, TinyRun.Spec(Spec), resume));
        return sink;
    }

    private byte[] Bytes(string work, string name) => File.ReadAllBytes(Path.Combine(CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), TinyRun.Steps), name));
}
