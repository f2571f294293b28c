using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Kernels;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>Muon, the weights' average and late quantised training in a whole run of the Hybrid family, straight and resumed.</summary>
public sealed class AverageTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Resuming_before_and_after_the_switch_ends_with_the_same_trace_and_bytes()
    {
        var straight = Run("straight", null);
        foreach (long step in (long[])[4, 8])
        {
            var resumed = Run($"from-{step}", CheckpointFolder.PathOf(_folder.At("straight", "checkpoints"), step));

            Assert.Equal(straight.Of<DoneEvent>()[0].Trace, resumed.Of<DoneEvent>()[0].Trace);
            Assert.Equal(straight.Of<EvalEvent>()[^1].Loss, resumed.Of<EvalEvent>()[^1].Loss);
            foreach (string name in (string[])[CheckpointFolder.WeightsName, CheckpointFolder.OptimizerName, CheckpointFolder.AverageName])
            {
                Assert.Equal(Bytes("straight", 12, name), Bytes($"from-{step}", 12, name));
            }
        }
    }

    [Fact]
    public void Optimizers_check_7_quantised_training_starts_once_and_is_latched()
    {
        var sink = Run("latched", null);

        // A warmdown of 40 steps seen from 12: the factor of step 7 is 6/40, which is not below 0.15, that of step 8 is 5/40.
        var said = Assert.Single(sink.Of<LogEvent>(), e => e.Text.Contains("quantised", StringComparison.Ordinal));
        Assert.Contains("from step 8 on", said.Text, StringComparison.Ordinal);
        Assert.False(State("latched", 4).Quantizing);
        Assert.True(State("latched", 8).Quantizing);
    }

    [Fact]
    public void Hybrid_check_11_the_average_is_its_closed_form_over_the_weights_and_is_what_is_exported()
    {
        using var scope = torch.NewDisposeScope();
        Run("average", null, spec => spec with { Checkpoint = new CheckpointSpec { EverySteps = 1, KeepLast = 20 } });
        string last = CheckpointFolder.PathOf(_folder.At("average", "checkpoints"), 12);

        // E starts at the seed's weights, which a run of the same spec has before its first step.
        var plan = Families.Plan(Spec().Model, new List<FieldError>())!;
        var model = plan.Build(torch.float32, torch.CPU, SeedMix.Of(7, RandomStream.Weights, 0));
        foreach (string name in (string[])["tok_emb", "blocks.1.q", "smear.gate"])
        {
            double[] expected = model.Weight(name).HostArray<double>();
            for (int step = 1; step <= 12; step++)
            {
                using var file = Open("average", step);
                double[] w = file.Read(name).HostArray<double>();
                expected = [.. expected.Zip(w, (e, x) => (0.9 * e) + (0.1 * x))];
            }

            using var exported = SafetensorsReader.Open(CheckpointFolder.ExportPath(last));
            double worst = exported.Read(name).HostArray<double>().Zip(expected, (a, b) => Math.Abs(a - b)).Max();
            Assert.InRange(worst, 0, 1e-6);
        }
    }

    [Fact]
    public void A_mean_of_snapshots_is_that_of_the_weights_at_their_steps_also_after_a_resume()
    {
        using var scope = torch.NewDisposeScope();

        // Four snapshots over a warmdown of eight steps of twelve.
        RunSpec Snapshots(RunSpec spec) => spec with
        {
            Optimizer = spec.Optimizer with { Ema = 0, SwaSnapshots = 4, WarmdownSteps = 8 },
            Checkpoint = new CheckpointSpec { EverySteps = 1, KeepLast = 20 },
        };
        Run("snapshots", null, Snapshots);
        Run("resumed", CheckpointFolder.PathOf(_folder.At("snapshots", "checkpoints"), 9), Snapshots);

        using var exported = SafetensorsReader.Open(CheckpointFolder.ExportPath(CheckpointFolder.PathOf(_folder.At("snapshots", "checkpoints"), 12)));
        foreach (string name in (string[])["tok_emb", "blocks.1.q"])
        {
            double[][] taken = [.. new long[] { 6, 8, 10, 12 }.Select(step =>
            {
                using var file = Open("snapshots", step);
                return file.Read(name).HostArray<double>();
            })];
            double worst = exported.Read(name).HostArray<double>().Select((value, i) => Math.Abs(value - taken.Average(w => w[i]))).Max();
            Assert.InRange(worst, 0, 1e-6);
        }

        // Before the first snapshot the average is the weights.
        Assert.Equal(Bytes("snapshots", 4, CheckpointFolder.WeightsName), Bytes("snapshots", 4, CheckpointFolder.AverageName));
        Assert.Equal(Bytes("snapshots", 12, CheckpointFolder.AverageName), Bytes("resumed", 12, CheckpointFolder.AverageName));
    }

    [Fact]
    public void Exchanging_weights_and_average_twice_changes_no_bit()
    {
        using var scope = torch.NewDisposeScope();
        var plan = Families.Plan(Spec().Model, new List<FieldError>())!;
        var model = plan.Build(torch.float32, torch.CPU, 1);
        using var average = new Ema(model, new OptimizerSpec { Ema = 0.5 });
        using (torch.no_grad())
        {
            model.Weight("tok_emb").mul_(3.0);
        }

        float[] weights = model.Weight("tok_emb").HostArray<float>();
        average.Update(0, 10);
        float[] averages = average.State[0].Value.HostArray<float>();
        using (average.Use())
        {
            Assert.Equal(averages, model.Weight("tok_emb").HostArray<float>());
        }

        Assert.Equal(weights, model.Weight("tok_emb").HostArray<float>());
        Assert.Equal(averages, average.State[0].Value.HostArray<float>());
    }

    [Fact]
    public void A_checkpoint_without_average_is_refused_by_a_run_that_keeps_one()
    {
        Run("plain", null, spec => spec with { Optimizer = spec.Optimizer with { Ema = 0 } });

        var sink = Run("asks", CheckpointFolder.PathOf(_folder.At("plain", "checkpoints"), 8));

        var failed = Assert.Single(sink.Of<FailedEvent>());
        Assert.Equal(FailureCodes.BadInput, failed.Code);
        Assert.Contains("optimizer.ema is 0.9", failed.Message, StringComparison.Ordinal);
    }

    private static RunSpec Spec() => TinyRun.Spec(spec => spec with
    {
        Model = new ModelSpec
        {
            Family = "hybrid",
            Size = "nano",
            Overrides = System.Text.Json.JsonSerializer.SerializeToElement(new { vocab_size = 300, d_model = 32, n_layer = 3, attn_layers = new[] { 1, 2 }, ve_layers = new[] { 2 } })
                .EnumerateObject().ToDictionary(p => p.Name, p => p.Value),
        },
        Optimizer = spec.Optimizer with { Name = "muon", WarmupSteps = 0, Schedule = "warmdown", WarmdownSteps = 40, Ema = 0.9 },
    });

    private ListSink Run(string work, string? resume, Func<RunSpec, RunSpec>? change = null)
    {
        var sink = new ListSink();
        using var control = new TrainerControl();
        var spec = change is null ? Spec() : change(Spec());
        new JobRunner(sink, control, TimeProvider.System).Run(TinyRun.Job(_folder, work, spec, resume));
        return sink;
    }

    private SafetensorsReader Open(string work, long step) =>
        SafetensorsReader.Open(Path.Combine(CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), step), CheckpointFolder.WeightsName));

    private byte[] Bytes(string work, long step, string name) =>
        File.ReadAllBytes(Path.Combine(CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), step), name));

    private TrainState State(string work, long step) =>
        CheckpointFolder.ReadJson<TrainState>(CheckpointFolder.PathOf(_folder.At(work, "checkpoints"), step), CheckpointFolder.StateName);
}
