using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Positronic;

/// <summary>Check 12, and the losses against plain formulas.</summary>
public sealed class Check12_LossTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_12_the_target_of_the_state_predictor_has_no_gradient()
    {
        var predictor = new StatePredictor(new PositronicConfig { DModel = 64, JepaDim = 32 }, Weights.Of(Nano.Fresh().Weight, "jepa"));
        manual_seed(1);
        var hidden = empty([1, 5, 64], float64).normal_().requires_grad_();

        predictor.Loss(hidden, float64, float64).backward();

        // The last state is a target only; the first is read only.
        double[] norms = [.. Enumerable.Range(0, 5).Select(t => hidden.grad!.select(1, t).pow(2).sum().Number())];
        Assert.Equal(0.0, norms[4]);
        Assert.All(norms[..4], n => Assert.True(n > 0));
    }

    [Fact]
    public void Check_12_a_head_for_further_tokens_starts_as_the_main_head()
    {
        using var quiet = no_grad();
        var model = Nano.Fresh();
        var ids = Nano.Ids(2, 20);
        var (main, further) = (model.Logits(ids), model.MtpLogits(ids));

        Assert.Equal([4L, 2, 20, 512], further.shape);
        Assert.All(Enumerable.Range(0, 4), k => Assert.Equal(0.0, Nano.Changed(main, further.select(0, k))));
    }

    [Theory]
    [InlineData(1e-4)]
    [InlineData(0.0)]
    public void Every_term_is_its_formula_whatever_its_weight(double zWeight)
    {
        using var quiet = no_grad();
        var model = Nano.Open(new { z_weight = zWeight });
        var ids = Nano.Ids(2, 21);
        long[] labels = ids.HostArray<long>();
        (labels[4], labels[5], labels[30]) = (-100, -100, -100);
        var labels_BT = tensor(labels, 2, 21);
        var totals = model.Count(Array.ConvertAll(labels, l => (int)l), 21);
        var loss = model.Loss(model.Prepare(new LossInput(ids, labels_BT, totals), new TrainingStep(1, 0, 0, 1, 0)));
        var (main, further) = (model.Logits(ids), model.MtpLogits(ids));

        double[] further4 = [.. Enumerable.Range(0, 4).Select(k => Mean(further.select(0, k), labels, k + 2, z: false))];
        Nano.Near(Mean(main, labels, 1, z: false), Value("ce"), 1e-10);
        Nano.Near(Mean(main, labels, 1, z: true), Value("z"), 1e-10);
        Nano.Near(further4.Average(), Value("mtp"), 1e-10);
        Nano.Near(loss.Terms.Sum(t => t.Weight.Number() * Value(t.Name)), loss.Total.Number(), 1e-10);
        Assert.Equal(["ce", "z", "mtp", "jepa", "balance"], model.Terms);
        Assert.InRange(Value("balance"), 0.5, 4);
        Assert.InRange(Value("jepa"), 0, 2);

        double Value(string name)
        {
            int i = model.Terms.ToList().IndexOf(name);
            return loss.Terms[i].Sum.Number() / totals.Counts[i];
        }
    }

    [Fact]
    public void Micro_batches_add_up_to_the_whole_batch_but_for_the_means_over_them()
    {
        var ids = Nano.Ids(4, 33);
        var whole = Nano.Open();
        var parts = Nano.Open();
        var totals = whole.Count(Array.ConvertAll(ids.HostArray<long>(), id => (int)id), 33);
        Run(whole, ids, totals);
        double[] sums = new double[5];
        for (int first = 0; first < 4; first += 2)
        {
            var part = Run(parts, ids.narrow(0, first, 2), totals with { MicroBatches = 2 });
            sums = [.. sums.Zip(part.Terms, (a, b) => a + b.Sum.Number())];
        }

        var again = whole.Loss(whole.Prepare(new LossInput(ids, ids, totals), new TrainingStep(1, 0, 0, 1, 0)));
        for (int i = 0; i < 4; i++)
        {
            Nano.Near(again.Terms[i].Sum.Number(), sums[i], 1e-7);
        }

        // Of all weights only the experts' router sees the balance of the whole batch.
        foreach (string name in (string[])["layers.0.osc.theta", "layers.1.spec0.content", "mtp.3", "jepa.fc1"])
        {
            double norm = Nano.GradNorm(whole, name);
            Assert.InRange(Math.Abs(norm - Nano.GradNorm(parts, name)), 0, 0.02 * norm);
        }

        static LossResult Run(PositronicModel model, Tensor ids_BT, LossTotals totals)
        {
            var loss = model.Loss(model.Prepare(new LossInput(ids_BT, ids_BT, totals), new TrainingStep(1, 0, 0, 1, 0)));
            loss.Total.backward();
            return loss;
        }
    }

    [Fact]
    public void The_further_heads_count_a_third_in_the_last_part_of_a_run()
    {
        var model = Nano.Fresh();

        Assert.Equal(0.3, Weight(new TrainingStep(1, 69, 100, 1, 0)), 1e-12);
        Assert.Equal(0.1, Weight(new TrainingStep(1, 70, 100, 1, 0)), 1e-12);
        Assert.Equal(0.3, Weight(new TrainingStep(1, 900, 0, 1, 0)), 1e-12);
        Assert.Equal(0.3, Weight(null), 1e-12);

        double Weight(TrainingStep? step)
        {
            var ids = Nano.Ids(1, 12);
            var input = new LossInput(ids, ids, model.Count(Array.ConvertAll(ids.HostArray<long>(), id => (int)id), 12));
            return model.Loss(step is null ? input : model.Prepare(input, step)).Terms.Single(t => t.Name == "mtp").Weight.Number();
        }
    }

    [Fact]
    public void Outside_training_only_token_losses_count()
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        var ids = Nano.Ids(2, 20);
        var loss = model.Loss(ids, ids, model.Count(Array.ConvertAll(ids.HostArray<long>(), id => (int)id), 20));

        Assert.Equal([0.0, 0.0], loss.Terms.Skip(3).Select(t => t.Sum.Number()));
    }

    [Fact]
    public void A_row_too_short_for_a_head_counts_it_as_nothing()
    {
        using var quiet = no_grad();
        var model = Nano.Open();
        var ids = Nano.Ids(2, 2);

        Assert.True(double.IsFinite(Nano.Train(model, ids).Loss.Total.Number()));
        Assert.Equal(0.0, Nano.Train(model, ids).Loss.Terms[2].Sum.Number());
        Assert.Throws<ArgumentException>(() => Nano.Train(model, Nano.Ids(2, 1)));
    }

    // Mean over counted targets `ahead` columns on: cross entropy, or the squared log-normaliser.
    private static double Mean(Tensor logits_BTV, long[] labels, int ahead, bool z)
    {
        double[] logits = logits_BTV.HostArray<double>();
        int time = labels.Length / 2, vocabulary = logits.Length / labels.Length, count = 0;
        double sum = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            if ((i % time) + ahead < time && labels[i + ahead] >= 0)
            {
                var row = logits.AsSpan(i * vocabulary, vocabulary);
                double normaliser = 0;
                foreach (double value in row)
                {
                    normaliser += Math.Exp(value);
                }

                double log = Math.Log(normaliser);
                sum += z ? log * log : log - row[(int)labels[i + ahead]];
                count++;
            }
        }

        return sum / count;
    }
}
