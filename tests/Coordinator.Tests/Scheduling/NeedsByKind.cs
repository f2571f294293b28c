using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Scheduling;

public sealed class NeedsByKind
{
    private static readonly RunSpec Spec = new()
    {
        Name = "a",
        Model = new ModelSpec { Family = "qovaryx", Size = "50m" },
        Data = new DataSpec { Dataset = "docs", SeqLen = 1024 },
        Train = new TrainSpec { BatchTokens = 16 * 1024 },
    };

    public static TheoryData<RunSpec> SameKind =>
    [
        Spec with { Name = "b", Data = Spec.Data with { Dataset = "other" } },
        Spec with { Train = Spec.Train with { Steps = 7, Seed = 5 } },
        Spec with { Optimizer = new OptimizerSpec { Lr = 1, WarmupSteps = 0, WeightDecay = 0 } },
        Spec with { Run = new PlacementSpec { Priority = RunPriority.High, Tags = ["x"] }, Checkpoint = new CheckpointSpec { KeepLast = 9 } },
    ];

    public static TheoryData<RunSpec> OtherKind =>
    [
        Spec with { Model = Spec.Model with { Size = "350m" } },
        Spec with { Data = Spec.Data with { SeqLen = 512 } },
        Spec with { Train = Spec.Train with { BatchTokens = 8 * 1024 } },
        Spec with { Train = Spec.Train with { Precision = "bf16" } },
        Spec with { Train = Spec.Train with { MicroBatch = 2 } },
        Spec.Recomputing(),
        Spec with { Optimizer = new OptimizerSpec { Name = OptimizerKinds.AdamW, Ema = 0.9 } },
        Spec with { Optimizer = new OptimizerSpec { Name = "muon" } },
    ];

    [Theory]
    [MemberData(nameof(SameKind))]
    public void What_names_and_times_a_run_does_not_make_it_another_kind(RunSpec other) => Assert.Equal(ForecastKind.Of(Spec, null), ForecastKind.Of(other, null));

    [Theory]
    [MemberData(nameof(OtherKind))]
    public void What_changes_the_memory_or_the_rows_does(RunSpec other)
    {
        Assert.NotEqual(ForecastKind.Of(Spec, null), ForecastKind.Of(other, null));
        Assert.NotEqual(ForecastKind.Of(Spec, null), ForecastKind.Of(Spec, 4));
    }

    [Fact]
    public void After_running_out_of_memory_no_more_rows_are_taken_than_the_limit()
    {
        var card = new DeviceClass(DeviceKind.Cuda, 80L << 30, "card");
        var given = Spec with { Train = Spec.Train with { MicroBatch = 8 } };

        Assert.Equal((16, 4), (NeedsCatalog.Forecast(Spec, null).On(card).MicroBatch, NeedsCatalog.Forecast(Spec, 4).On(card).MicroBatch));
        Assert.Equal((4, 8), (NeedsCatalog.Forecast(given, 4).On(card).MicroBatch, NeedsCatalog.Forecast(given, 16).On(card).MicroBatch));
    }

    [Fact]
    public void Peaks_of_a_kind_are_kept_whatever_its_rows_were()
    {
        Assert.Equal(ForecastKind.OfPeaks(Spec), ForecastKind.OfPeaks(Spec with { Name = "b", Train = Spec.Train with { MicroBatch = 2 } }));
        Assert.NotEqual(ForecastKind.OfPeaks(Spec), ForecastKind.OfPeaks(Spec.Recomputing()));
    }

    [Fact]
    public void A_model_that_cannot_be_built_here_waits_with_the_reason()
    {
        var needs = Assert.IsType<Unbuildable>(NeedsCatalog.Forecast(Spec with { Model = Spec.Model with { Size = "9t" } }, null));

        Assert.Contains("has no size 9t", needs.On(new DeviceClass(DeviceKind.Cuda, 80L << 30, "card")).Reason, StringComparison.Ordinal);
    }
}
