using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using Hearth.Training.Checkpoints;
using Hearth.Training.Optim;
using TorchSharp;
using Xunit;

namespace Hearth.Training.Tests;

/// <summary>What an average of the weights says of itself, and that the weights themselves can be had beside it.</summary>
public sealed class AverageChoiceTests(StraightRun straight) : IClassFixture<StraightRun>
{
    private static readonly RunSpec Averaged = TinyRun.Spec(s => s with { Optimizer = s.Optimizer with { Ema = 0.997 } });

    [Fact]
    public void An_evaluation_reports_the_averages_loss_and_the_weights_own_beside_it()
    {
        var evals = Run("both", Averaged).Of<EvalEvent>();

        Assert.Equal(straight.Sink.Of<EvalEvent>().Select(e => e.Loss), evals.Select(e => e.Terms!["raw"]));
        Assert.All(evals, e => Assert.True(e.Loss > e.Terms!["raw"], "after twelve steps the average is mostly the start"));
    }

    [Fact]
    public void An_average_that_reaches_further_back_than_the_run_is_warned_of_once()
    {
        var sink = Run("warned", Averaged);
        var resumed = Run("resumed", Averaged, CheckpointFolder.PathOf(straight.Folder.At("warned", "checkpoints"), 8));

        Assert.Equal(
            "optimizer.ema 0.997 averages over 333 steps, and the run has 12: at its end 96 % of the average, which is evaluated, sampled and exported, "
            + "are the weights from before the first step. optimizer.ema_schedule: warmup suits short runs.",
            Assert.Single(sink.Of<LogEvent>(), e => e.Level == LogLevel.Warning).Text);
        Assert.Empty(resumed.Of<LogEvent>());
    }

    [Theory]
    [InlineData(0.997, "constant", 0, 997, true)]
    [InlineData(0.997, "constant", 0, 1000, false)]
    [InlineData(0.997, "warmup", 0, 12, false)]
    [InlineData(0.997, "constant", 3, 12, false)]
    [InlineData(0, "constant", 0, 12, false)]
    public void Only_where_the_start_is_still_in_it(double decay, string schedule, int snapshots, int steps, bool warned)
    {
        var spec = Averaged with { Train = Averaged.Train with { Steps = steps }, Optimizer = new OptimizerSpec { Ema = decay, EmaSchedule = schedule, SwaSnapshots = snapshots } };

        Assert.Equal(warned, AverageNotice.Of(spec) is not null);
    }

    [Fact]
    public void Every_recipes_average_holds_for_a_short_run()
    {
        foreach (var recipe in Families.All.SelectMany(f => f.Sizes.Select(f.Recipe)))
        {
            Assert.Null(AverageNotice.Of(recipe with { Train = recipe.Train with { Steps = 97 } }));
        }
    }

    [Fact]
    public void An_export_takes_the_average_or_the_weights_themselves()
    {
        Run("exported", Averaged);
        string checkpoint = CheckpointFolder.PathOf(straight.Folder.At("exported", "checkpoints"), TinyRun.Steps);
        float[] Exported(string name, params string[] options)
        {
            var result = TrainerCommandLine.Run(["export", checkpoint, straight.Folder.At(name), .. options]);
            Assert.True(result.Exit == ExitCodes.Done, result.Errors);
            using var scope = torch.NewDisposeScope();
            return TrainedModel.Load(straight.Folder.At(name), torch.CPU).Model.Weight("tok_emb").detach().HostArray<float>();
        }

        float[] Own(bool raw)
        {
            using var scope = torch.NewDisposeScope();
            return TrainedModel.FromCheckpoint(checkpoint, torch.CPU, raw: raw).Model.Weight("tok_emb").detach().HostArray<float>();
        }

        float[] average = Exported("average"), weights = Exported("raw", "--weights", "raw");
        Assert.Equal(Own(raw: false), average);
        Assert.Equal(Own(raw: true), weights);
        Assert.NotEqual(average, weights);
        Assert.Equal("hearth-trainer: --weights is both. Allowed: average, raw.", TrainerCommandLine.Run("export", checkpoint, straight.Folder.At("none"), "--weights", "both").Errors.Trim());
    }

    private ListSink Run(string work, RunSpec spec, string? resume = null)
    {
        using var control = new TrainerControl();
        return straight.Run(work, resume, control, spec);
    }
}
