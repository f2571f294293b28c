using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Acceptance check 10: nano learns, and stage 2 stops early where nothing is lost by it.</summary>
public sealed class VuafTrainingTests : IDisposable
{
    private const int Rows = 8, Length = 48, WarmUp = 30;
    private static readonly byte[] Text = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(
        "The ferry left the pier at nine, and by ten the fog had lifted. Anna counted seven gulls on the rail; "
        + "the eighth was asleep. \"Where do they go at night?\" she asked. Nobody on board had ever thought of asking that. ", 12)));
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_10_three_hundred_steps_of_nano_halve_the_expected_loss()
    {
        var model = (VuafModel)VuafSmall.Plan().Build(float32, CPU, 1);
        var losses = Train(model, 300, 1e-3, warm: false);

        Assert.InRange(losses[^20..].Average(), 0, 0.5 * losses[0]);
    }

    [Fact]
    public void Check_10_stage_2_moves_easy_tokens_to_earlier_exits_at_no_more_than_two_hundredths_of_loss()
    {
        // A whole run of warm start: every depth is trained, and at its first value of σ(−2) the halt head never fires.
        var model = (VuafModel)VuafSmall.Plan(new { halt_warm_start = 1 }).Build(float32, CPU, 2);
        Train(model, 200, 1e-3, warm: true);
        var (stepsBefore, lossBefore) = AtExit(model);
        Assert.Equal(1, stepsBefore, 1e-12);

        var gate = VuafSmall.Like(model, new { halt_only = true });
        Train(gate, 100, 2e-2, warm: false);
        var (stepsAfter, lossAfter) = AtExit(gate);

        Assert.InRange(stepsAfter, 0, 0.98);
        Assert.InRange(lossAfter, 0, lossBefore + 0.02);
        Assert.All(model.named_parameters().Where(p => !p.name.StartsWith("halt_head", StringComparison.Ordinal)), p =>
            Assert.Equal(p.parameter.ToArray<float>(), gate.Weight(p.name).ToArray<float>()));
    }

    private static double[] Train(VuafModel model, int steps, double lr, bool warm)
    {
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Lr = lr });
        var losses = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            using var scope = NewDisposeScope();
            optimizer.zero_grad();
            var ids = Batch(i);
            var totals = model.Count(new int[Rows * Length], Length);
            var loss = model.Loss(new LossInput(ids, ids, totals) { Step = warm ? new TrainingStep(1, i, steps, 1, 0) : null });
            loss.Total.backward();
            losses[i] = loss.Sums[0].item<double>() / totals.Counts[0];
            optimizer.ClipGradNorm(1);
            optimizer.Step(Math.Min(1, (i + 1.0) / WarmUp));
        }

        return losses;
    }

    // Mean zero-based exit step and loss at threshold 0.5 on rows that training does not see in this order.
    private static (double Steps, double Loss) AtExit(VuafModel model)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = Batch(100_000);
        var both = model.Steps(ids.narrow(1, 0, Length - 1), 2);
        var targets = ids.narrow(1, 1, Length - 1).reshape(-1, 1);
        Tensor Loss(int r) => both[r].Logits_BTV.flatten(0, 1).log_softmax(-1).gather(1, targets).view(-1) * -1.0;
        var early = both[0].Halt_BT!.flatten().sigmoid().ge(0.5);
        return (1 - early.to(float64).mean().item<double>(), where(early, Loss(0), Loss(1)).mean().item<double>());
    }

    private static Tensor Batch(int step)
    {
        var random = new Random(step);
        long[] ids = new long[Rows * Length];
        for (int row = 0; row < Rows; row++)
        {
            int first = random.Next(Text.Length - Length);
            for (int t = 0; t < Length; t++)
            {
                ids[(row * Length) + t] = Text[first + t];
            }
        }

        return tensor(ids, Rows, Length);
    }
}
