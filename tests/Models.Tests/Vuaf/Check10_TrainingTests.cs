using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Vuaf;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Vuaf;

/// <summary>Acceptance check 10: nano learns, and stage 2 stops early where nothing is lost by it.</summary>
public sealed class Check10_TrainingTests : IDisposable
{
    private const int Rows = 8, Length = 48, WarmUp = 30;
    private static readonly byte[] Text = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(
        "The ferry left the pier at nine, and by ten the fog had lifted. Anna counted seven gulls on the rail; "
        + "the eighth was asleep. \"Where do they go at night?\" she asked. Nobody on board had ever thought of asking that. ", 12)));
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_10_three_hundred_steps_of_nano_halve_the_expected_loss() => Halves(1);

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Category", "Slow")]
    public void Check_10_so_they_do_from_other_seeds(long seed) => Halves(seed);

    [Fact]
    public void Check_10_stage_2_moves_easy_tokens_to_earlier_exits_at_no_more_than_two_hundredths_of_loss()
    {
        // A whole run of warm start: every depth is trained, and at its first value of σ(−2) the halt head never fires.
        var model = (VuafModel)VuafSmall.Plan(new { halt_warm_start = 1 }).Build(float32, CPU, 2);
        Train(model, 200, 1e-3, warm: true);
        var before = AtExit(model);
        Assert.InRange(before.MeanP, 0, 0.5);
        Assert.Equal(0, before.Early.Average(), 1e-12);

        var gate = VuafSmall.Like(model, new { halt_only = true });
        Train(gate, 100, 2e-2, warm: false);
        var after = AtExit(gate);

        Assert.InRange(after.Early.Average(), 0.02, 1);
        Assert.InRange(after.Loss, 0, before.Loss + 0.02);

        // Easy is what gains least by the second step, and it is what stops.
        double[] stopped = [.. after.Gains.Where((_, n) => after.Early[n] == 1)], went = [.. after.Gains.Where((_, n) => after.Early[n] == 0)];
        Assert.InRange(stopped.Average(), double.MinValue, went.Average() - 0.01);
        Assert.All(model.NamedParameters.Where(p => !p.Name.StartsWith("halt_head", StringComparison.Ordinal)), p =>
            Assert.Equal(p.Value.HostArray<float>(), gate.Weight(p.Name).HostArray<float>()));
    }

    private static void Halves(long seed)
    {
        var model = (VuafModel)VuafSmall.Plan().Build(float32, CPU, seed);
        var losses = Train(model, 300, 1e-3, warm: false);

        Assert.InRange(losses[0], 0.9 * Math.Log(512), 1.1 * Math.Log(512));
        Assert.InRange(losses[^20..].Average(), 0, 0.5 * losses[0]);
    }

    private static double[] Train(VuafModel model, int steps, double lr, bool warm)
    {
        using var optimizer = Optimizer.Create(model, new OptimizerSpec { Lr = lr });
        var losses = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var ids = Batch(i);
            var totals = model.Count(new int[Rows * Length], Length);
            var input = new LossInput(ids, ids, totals);
            var loss = model.Loss(warm ? model.Prepare(input, new TrainingStep(1, i, steps, 1, 0)) : input);
            loss.Total.backward();
            losses[i] = loss.Terms[0].Sum.Number() / totals.Counts[0];
            optimizer.ClipGradNorm(1);
            optimizer.Step(Math.Min(1, (i + 1.0) / WarmUp));
        }

        return losses;
    }

    // On rows that training does not see in this order, at threshold 0.5.
    private static Exits AtExit(VuafModel model)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var ids = Batch(100_000);
        var both = model.Steps(ids.narrow(1, 0, Length - 1), 2);
        var targets = ids.narrow(1, 1, Length - 1).reshape(-1, 1);
        Tensor Loss(int r) => both[r].Logits_BTV.flatten(0, 1).log_softmax(-1).gather(1, targets).view(-1) * -1.0;
        var p = both[0].Halt_BT!.flatten().sigmoid();
        var early = p.ge(0.5);
        return new Exits(p.mean().Number(), early.to(float64).HostArray<double>(), (Loss(0) - Loss(1)).HostArray<double>(), where(early, Loss(0), Loss(1)).mean().Number());
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

    /// <param name="MeanP">Mean p_1.</param>
    /// <param name="Early">1 for each token that stops at step 1, else 0.</param>
    /// <param name="Gains">What each token's loss gains by step 2.</param>
    /// <param name="Loss">Mean loss at the exit step.</param>
    private sealed record Exits(double MeanP, double[] Early, double[] Gains, double Loss);
}
