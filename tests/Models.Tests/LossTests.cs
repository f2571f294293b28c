using Hearth.Kernels;
using Hearth.Models;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Targets, weights and gradients of the losses.</summary>
public sealed class LossTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Head_k_counts_the_targets_that_stand_k_plus_one_rows_on()
    {
        var model = Small.Tiny();

        // Every label of the first row; of the second the first, which nothing predicts, and the last, which all heads do.
        int[] labels = [1, 2, 3, 4, 5, 6, 7, -100, -100, -100, -100, 7];
        Assert.Equal([5L + 1, 4 + 1, 3 + 1, 2 + 1], model.Count(labels, 6).Counts);
        Assert.Equal([5L, 4, 3, 2], model.Count(labels.AsSpan(0, 6), 6).Counts);
    }

    [Fact]
    public void Terms_are_means_over_their_own_targets_and_weigh_as_configured()
    {
        var model = Small.Tiny(new { mtp_weight = 0.3 });
        var ids = Small.Ids(2, 12, 40);
        long[] labels = ids.HostArray<long>();
        (labels[3], labels[12], labels[23]) = (-100, -100, -100);
        var labels_BT = tensor(labels, 2, 12);
        var loss = Loss(model, ids, labels_BT, out var totals);
        var heads = new[] { model.Logits(ids) }.Concat(model.MtpLogits(ids)).ToArray();

        double total = 0;
        for (int k = 0; k < heads.Length; k++)
        {
            double mean = ByHand(heads[k], labels, 12, k, out int count);
            Assert.Equal(count, totals.Counts[k]);
            Assert.Equal(mean, loss.Terms[k].Sum.Number() / count, 1e-10);
            total += mean * (k == 0 ? 1 : 0.1);
        }

        Assert.Equal(total, loss.Total.Number(), 1e-10);
    }

    [Fact]
    public void Micro_batches_add_up_to_the_gradient_of_the_whole_batch()
    {
        var model = Small.Tiny(new { mtp_kind = "block" });
        var ids = Small.Ids(4, 10, 40);
        long[] labels = ids.HostArray<long>();
        Array.Fill(labels, -100, 0, 9);
        var labels_BT = tensor(labels, 4, 10);
        var whole = Loss(model, ids, labels_BT, out var totals);
        whole.Total.backward();
        var expected = model.Parameters.Select(p => p.grad!.clone()).ToArray();
        model.ClearGradients();

        double total = 0;
        foreach (var (first, rows) in new[] { (0, 1), (1, 2), (3, 1) })
        {
            var part = model.Loss(ids.narrow(0, first, rows), labels_BT.narrow(0, first, rows), totals);
            part.Total.backward();
            total += part.Total.Number();
        }

        Assert.Equal(whole.Total.Number(), total, 1e-12);
        Assert.All(model.Parameters.Zip(expected), p => Assert.InRange(Small.Difference(p.First.grad!, p.Second), 0, 1e-12));
    }

    [Fact]
    public void A_batch_without_targets_has_loss_and_gradient_zero()
    {
        var model = Small.Tiny();
        var loss = Loss(model, Small.Ids(1, 6, 40), full([1, 6], -100, ScalarType.Int64), out _);
        loss.Total.backward();

        Assert.Equal(0.0, loss.Total.Number());
        Assert.All(model.Parameters, p => Assert.Equal(0.0, p.grad!.HostArray<double>().Max(Math.Abs)));
    }

    [Fact]
    public void Rows_shorter_than_a_heads_reach_leave_its_sum_at_zero()
    {
        var model = Small.Tiny();
        var ids = Small.Ids(2, 3, 40);
        var loss = Loss(model, ids, ids, out var totals);

        Assert.Equal([4L, 2, 0, 0], totals.Counts);
        Assert.Equal(4, loss.Terms.Count);
        Assert.Equal(0.0, loss.Terms[3].Sum.Number());
        Assert.Throws<ArgumentException>(() => model.Loss(ids.narrow(1, 0, 1), ids.narrow(1, 0, 1), totals));
    }

    [Fact]
    public void Neutral_modules_hand_the_trunks_state_through_a_chain_of_norms()
    {
        var model = Small.Tiny(new { mtp_kind = "res" });
        using var quiet = no_grad();
        for (int k = 1; k <= 3; k++)
        {
            model.Weight($"mtp.{k}.res").zero_();
            var proj = model.Weight($"mtp.{k}.proj").zero_();
            for (int i = 0; i < 16; i++)
            {
                proj.select(0, i).narrow(0, i, 1).fill_(1);
            }
        }

        // The main head norms h once, head k norms it k + 1 times; norms of normed rows differ by ε only.
        var ids = Small.Ids(1, 10, 40);
        var normed = model.Weight("final_norm");
        var main = model.Logits(ids);
        foreach (var (logits, k) in model.MtpLogits(ids).Select((l, i) => (l, i + 1)))
        {
            Assert.Equal([1, 10 - k, 40], logits.shape);
            Assert.InRange(Small.Difference(main.narrow(1, 0, 10 - k), logits), 0, 1e-3);
        }

        Assert.Equal(1.0, normed.HostArray<double>().Max());
    }

    [Theory]
    [InlineData("res", true)]
    [InlineData("block", false)]
    public void Gradients_are_central_differences(string kind, bool tied)
    {
        var model = Small.Tiny(new { mtp_kind = kind, tie_embeddings = tied, qk_norm = true });
        var ids = Small.Ids(2, 9, 40);
        Loss(model, ids, ids, out var totals).Total.backward();

        const double step = 1e-5;
        foreach (var (name, weight) in model.NamedParameters)
        {
            double[] gradient = weight.grad!.HostArray<double>();
            int at = Array.IndexOf(gradient, gradient.MaxBy(Math.Abs));
            double Value(double shift)
            {
                using var quiet = no_grad();
                weight.flatten().narrow(0, at, 1).add_(full([1], shift, ScalarType.Float64));
                double value = model.Loss(ids, ids, totals).Total.Number();
                weight.flatten().narrow(0, at, 1).add_(full([1], -shift, ScalarType.Float64));
                return value;
            }

            double expected = (Value(step) - Value(-step)) / (2 * step);
            Assert.True(Math.Abs(expected - gradient[at]) <= 1e-6 * (0.01 + Math.Abs(expected)), $"{name}: {gradient[at]} for {expected}");
        }
    }

    private static LossResult Loss(LanguageModel model, Tensor ids_BT, Tensor labels_BT, out LossTotals totals)
    {
        totals = model.Count([.. labels_BT.HostArray<long>().Select(l => (int)l)], (int)labels_BT.size(1));
        return model.Loss(ids_BT, labels_BT, totals);
    }

    private static double ByHand(Tensor logits_BTV, long[] labels, int time, int k, out int count)
    {
        long vocabulary = logits_BTV.size(2), rows = logits_BTV.size(1);
        double[] z = logits_BTV.HostArray<double>();
        double sum = 0;
        count = 0;
        for (int b = 0; b < labels.Length / time; b++)
        {
            for (int t = 0; t < time - k - 1; t++)
            {
                long target = labels[(b * time) + t + k + 1];
                if (target >= 0)
                {
                    var row = z.AsSpan((int)(((b * rows) + t) * vocabulary), (int)vocabulary).ToArray();
                    sum += Math.Log(row.Sum(Math.Exp)) - row[target];
                    count++;
                }
            }
        }

        return sum / count;
    }
}
