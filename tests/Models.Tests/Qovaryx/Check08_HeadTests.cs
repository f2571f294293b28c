using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Qovaryx;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Qovaryx;

public sealed class Check08_HeadTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public Check08_HeadTests() => manual_seed(21);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_8_a_row_without_a_decision_gives_no_gradient()
    {
        var model = Heads();
        var ids = cat([full([1, 6], 3, ScalarType.Int64), full([1, 6], 5, ScalarType.Int64)]);
        Loss(model, ids, full([2, 6], -100, ScalarType.Int64), Row("decision_pos", 4, -1), Row("decision_label", 2, 1)).Total.backward();

        // Without a next token to learn, the decision is all that moves the embeddings.
        double[] grad = model.Weight("tok_emb").grad!.pow(2).sum(-1).HostArray<double>();
        Assert.True(grad[3] > 0);
        Assert.Equal(0.0, grad[5]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(4)]
    public void Check_8_a_label_outside_the_classes_is_none(int label)
    {
        var model = Heads();
        var ids = Small.Ids(2, 6, 40);
        var (pos, labels) = (Row("decision_pos", 4, 2), Row("decision_label", 1, label));
        var one = Loss(model, ids.narrow(0, 0, 1), ids.narrow(0, 0, 1), Row("decision_pos", 4), Row("decision_label", 1));
        var both = Loss(model, ids, ids, pos, labels);

        Assert.Equal(Term(model, one, "decision"), Term(model, both, "decision"), 1e-12);
        Assert.Equal(Term(model, one, "calibration"), Term(model, both, "calibration"), 1e-12);
    }

    [Fact]
    public void Check_8_class_weights_are_those_of_a_counted_example()
    {
        double[] weights = DecisionHeadConfig.ClassWeights([10, 30, 0, 1]);

        // 41 rows: 41/40, 41/120, none, and 41/4 cut to 4; 1000 of one class are cut to a quarter.
        Assert.Equal([1.025, 41.0 / 120, 4, 4], weights);
        Assert.Equal(0.25, DecisionHeadConfig.ClassWeights([100_000, 1, 1, 1])[0], 1e-4);
    }

    [Fact]
    public void Check_8_rows_count_by_their_class_in_the_cross_entropy_alone()
    {
        var model = Heads();
        var ids = Small.Ids(3, 6, 40);
        (string Name, Tensor Value)[] extras = [Row("decision_pos", 5, 1, 3), Row("decision_label", 0, 2, 2), ("class_weight", tensor(new[] { 0.5, 9, 2, 9 }))];
        var loss = Loss(model, ids, ids, extras);
        using var quiet = no_grad();
        double[][] z = [.. model.Decide(ids, Extras(extras)).HostArray<double>().Chunk(4)];
        int[] labels = [0, 2, 2];
        double[] weights = [0.5, 2, 2];
        double ce = 0, brier = 0;
        for (int i = 0; i < 3; i++)
        {
            double[] p = Calibration.Probabilities(z[i]);
            double distance = p.Select((q, c) => Math.Pow(q - (c == labels[i] ? 1 : 0), 2)).Sum();
            Assert.InRange(distance, 0, 2);
            (ce, brier) = (ce - (weights[i] * Math.Log(p[labels[i]])), brier + distance);
        }

        Assert.Equal(ce / 4.5, Term(model, loss, "decision"), 1e-12);
        Assert.Equal(brier / 3, Term(model, loss, "calibration"), 1e-12);
    }

    [Fact]
    public void Micro_batches_add_up_to_the_whole_batchs_weighted_mean()
    {
        var model = Heads();
        var ids = Small.Ids(4, 6, 40);
        (string Name, Tensor Value)[] extras = [Row("decision_label", 0, 2, -1, 1), ("class_weight", tensor(new[] { 0.5, 3, 2, 1 }))];
        var whole = Loss(model, ids, ids, extras);
        var totals = model.Count(Kinds.Text(ids), 6) with { Weights = new Dictionary<string, double> { ["decision"] = 5.5, ["calibration"] = 3 } };
        double decision = 0, total = 0;
        for (int first = 0; first < 4; first += 2)
        {
            var part = model.Loss(new LossInput(ids.narrow(0, first, 2), ids.narrow(0, first, 2), totals)
            {
                Extras = extras.ToDictionary(e => e.Name, e => e.Name == "class_weight" ? e.Value : e.Value.narrow(0, first, 2)),
            });
            (decision, total) = (decision + Term(model, part, "decision"), total + part.Total.Number());
        }

        Assert.Equal(Term(model, whole, "decision"), decision, 1e-12);
        Assert.Equal(whole.Total.Number(), total, 1e-12);
    }

    [Theory]
    [InlineData("res", "swiglu")]
    [InlineData("block", "routed_lowrank_swiglu")]
    public void Check_8_rows_with_and_without_an_image_in_one_batch_equal_their_own_runs(string mtp, string ffn)
    {
        var model = Heads(mtp, ffn);
        var ids = Small.Ids(3, 9, 40);
        var image = empty([3, 3, 32, 16], ScalarType.Float64).uniform_(0, 1);
        (string, Tensor)[] mixed = [("image", image), Row("has_image", 1, 0, 1)];
        using var quiet = no_grad();
        var (logits, further) = (model.Logits(ids, Extras(mixed)), model.MtpLogits(ids, Extras(mixed)));
        for (int row = 0; row < 3; row++)
        {
            var own = row == 1 ? RowExtras.None : Extras(("image", image.narrow(0, row, 1)));
            var text = ids.narrow(0, row, 1);

            Assert.InRange(Small.Difference(model.Logits(text, own), logits.narrow(0, row, 1)), 0, 1e-10);
            foreach (var (alone, among) in model.MtpLogits(text, own).Zip(further))
            {
                Assert.InRange(Small.Difference(alone, among.narrow(0, row, 1)), 0, 1e-10);
            }
        }

        // The image is seen at all.
        Assert.True(Small.Difference(model.Logits(ids), logits) > 1e-3);
    }

    [Theory]
    [InlineData(40, 32)]
    [InlineData(32, 8)]
    public void An_image_whose_side_is_no_multiple_of_16_is_refused(int height, int width)
    {
        var error = Assert.Throws<ArgumentException>(() => Heads().Logits(Small.Ids(1, 4, 40), Extras(("image", zeros([1, 3, height, width])))));
        Assert.Contains($"image is [1, 3, {height}, {width}]", error.Message, StringComparison.Ordinal);
        Assert.Contains("multiples of 16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Metadata_that_a_model_or_a_row_cannot_take_is_refused_by_name()
    {
        var ids = Small.Ids(1, 4, 40);
        Assert.Contains("chart_patch_encoder_enabled is false", Assert.Throws<ArgumentException>(() => Small.Tiny().Logits(ids, Extras(("image", zeros([1, 3, 16, 16]))))).Message, StringComparison.Ordinal);
        Assert.Contains("lengths[0] is 5. Allowed: 1 to 4.", Assert.Throws<ArgumentException>(() => Heads().Logits(ids, Extras(Row("lengths", 5)))).Message, StringComparison.Ordinal);
        Assert.Contains("decision_pos[0] is 3. Allowed: -1 to 2.", Assert.Throws<ArgumentException>(() => Heads().Decide(ids, Extras(Row("lengths", 3), Row("decision_pos", 3)))).Message, StringComparison.Ordinal);
        Assert.Contains("decision_head_enabled is false", Assert.Throws<InvalidOperationException>(() => Small.Tiny().Decide(ids, RowExtras.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_expected_calibration_error_is_the_gap_between_sureness_and_success()
    {
        double[] sure = [0.9, 0.1, 0, 0], unsure = [0.4, 0.3, 0.2, 0.1];

        Assert.Equal(0.1, Calibration.ExpectedError([sure, sure], [0, 0]), 1e-12);
        Assert.Equal(0.9, Calibration.ExpectedError([sure, sure], [1, 1]), 1e-12);

        // Two bins: |0.5 − 0.9| over two rows and |1 − 0.4| over one.
        Assert.Equal(((2 * 0.4) + 0.6) / 3, Calibration.ExpectedError([sure, sure, unsure], [0, 1, 0]), 1e-12);
    }

    [Fact]
    public void The_fitted_temperature_undoes_a_factor_on_calibrated_logits()
    {
        // Labels drawn so that probabilities 0.7, 0.1, 0.1, 0.1 are right; logits are three times too large.
        double[] z = [.. new[] { 0.7, 0.1, 0.1, 0.1 }.Select(p => 3 * Math.Log(p))];
        double[][] logits = [.. Enumerable.Repeat(z, 10)];
        int[] labels = [0, 0, 0, 0, 0, 0, 0, 1, 2, 3];

        Assert.Equal(3, Calibration.Temperature(logits, labels), 1e-6);
        Assert.Equal(1 / 0.05, Calibration.Temperature([z], [1]), 1e-9);
        Assert.Equal(0.7, Calibration.Probabilities(z, 3)[0], 1e-12);
        Assert.Equal(0, Calibration.Decide(z, 3, 0.6));
        Assert.Null(Calibration.Decide(z, 3, 0.8));
    }

    private static Decoder Heads(string mtp = "res", string ffn = "swiglu") => Small.Tiny(new
    {
        mtp_kind = mtp,
        ffn_kind = ffn,
        ffn_rank = 6,
        decision_head_enabled = true,
        class_weighted_decision = true,
        calibration_loss_weight = 0.2,
        chart_patch_encoder_enabled = true,
    });

    private static (string Name, Tensor Value) Row(string name, params long[] values) => (name, tensor(values));

    private static RowExtras Extras(params (string Name, Tensor Value)[] extras) => new(extras.ToDictionary(e => e.Name, e => e.Value));

    private static LossResult Loss(Decoder model, Tensor ids, Tensor labels, params (string Name, Tensor Value)[] extras) =>
        model.Loss(new LossInput(ids, labels, model.Count(Kinds.Text(labels), (int)ids.size(1))) { Extras = extras.ToDictionary(e => e.Name, e => e.Value) });

    private static double Term(Decoder model, LossResult loss, string name) => loss.Terms[model.Terms.ToList().IndexOf(name)].Sum.Number();
}
