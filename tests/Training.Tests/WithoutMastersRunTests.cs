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
