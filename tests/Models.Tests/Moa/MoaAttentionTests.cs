using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Moa;
using Xunit;
using static TorchSharp.torch;

// B batch, H heads, T time, N head width.
namespace Hearth.Tests;

/// <summary>Metric attention against its definition (acceptance checks 2, 5, 7, 9, 11).</summary>
public sealed class MoaAttentionTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, bool> Kinds() => new()
    {
        { "l2", false },
        { "l2", true },
        { "cosine", false },
        { "cosine", true },
        { "maha_diag", false },
        { "maha_diag", true },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Check_2_a_further_channel_equals_the_distance_formed_first_in_fp32(int keyHeads)
    {
        var (q, k, v) = (MoaSmall.Random(1, 2, 4, 24, 16) * 1.5, MoaSmall.Random(2, 2, keyHeads, 24, 16) * 1.5, MoaSmall.Random(3, 2, keyHeads, 24, 16));
        var alpha = tensor(new[] { 0.3, 0.8, 1.5, 3.0 });
        Assert.InRange(k.pow(2).sum(-1).amax([0, 1, 2]).Number(), 30, 90);
        var inputs = new MetricInputs(q.to(float32), k.to(float32), v.to(float32), alpha.to(float32), null, Causal: true, Drop: null);
        var exact = new MetricInputs(q, k, v, alpha, null, Causal: true, Drop: null);

        var expected = MetricScores.Explicit(exact, cosine: false);

        MoaSmall.Near(expected, MetricScores.Augmented(inputs, cosine: false, float32).to(float64), 1e-5);
        MoaSmall.Near(expected, MetricScores.Augmented(exact, cosine: false, float64), 1e-12);
    }

    [Fact]
    public void Check_2_bf16_with_two_norm_channels_is_as_near_as_ordinary_bf16_attention()
    {
        var (q, k, v) = (MoaSmall.Random(1, 2, 4, 64, 64), MoaSmall.Random(2, 2, 4, 64, 64), MoaSmall.Random(3, 2, 4, 64, 64));
        var alpha = full([4], 1.5, float64);
        var exact = MetricScores.Explicit(new MetricInputs(q, k, v, alpha, null, true, null), cosine: false);
        var narrow = MetricScores.Augmented(new MetricInputs(q.to(float32), k.to(float32), v.to(float32), alpha.to(float32), null, true, null), cosine: false, bfloat16);

        // Rounded factors with an exact norm, and with a norm of one rounded channel.
        Tensor Rounded(Tensor x) => x.to(bfloat16).to(float64);
        var product = Rounded(q * (2 * 1.5)).matmul(Rounded(k).transpose(-2, -1));
        var norm = Rounded(k).pow(2).sum(-1, true).transpose(-2, -1) * 1.5;
        Tensor Attend(Tensor norms) => (((product - norms) / 8) + Hearth.Models.Blocks.CausalAttention.Mask(64, 64, q)).softmax(-1).matmul(Rounded(v));
        double ordinary = Small.Difference(exact, Attend(norm)), one = Small.Difference(exact, Attend(Rounded(norm))), two = Small.Difference(exact, narrow.to(float64));

        Assert.InRange(two, 0, 1.2 * ordinary);
        Assert.True(two < one / 1.5, $"{two} for {one}");
    }

    [Fact]
    public void Check_2_distances_stay_when_all_positions_shift_by_1000()
    {
        var model = MoaSmall.Tiny(new { max_position_embeddings = 2048 }, ScalarType.Float32);
        var rope = Rope(model, heads: 2, "blocks.0.rope_global");
        var (q, k) = (MoaSmall.Random(1, 1, 2, 20, 8).to(float32), MoaSmall.Random(2, 1, 2, 20, 8).to(float32));
        Tensor Scores(long offset) => MetricScores.Scores(
            new MetricInputs(BlackHoleRope.Rotate(q, rope.Turn(Tables(model), offset, 20)), BlackHoleRope.Rotate(k, rope.Turn(Tables(model), offset, 20)), q, ones([2]), null, true, null), cosine: false);
        using var quiet = no_grad();

        MoaSmall.Near(Scores(0), Scores(1000), 1e-3);
        Assert.NotEqual(0.0, Small.Difference(BlackHoleRope.Rotate(q, rope.Turn(Tables(model), 0, 20)), BlackHoleRope.Rotate(q, rope.Turn(Tables(model), 1000, 20))));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Check_2_both_forms_give_the_same_losses_and_every_gradient(string metric, bool balls)
    {
        var model = MoaSmall.Tiny(new { metric, use_balls = balls, radius_init = 2, ti_weight = 1, router_balance = 0.1 });
        var ids = Small.Ids(3, 14, 40);
        MoaSmall.Loss(model, ids, MoaSmall.Step()).Total.backward();
        var expected = model.Plan.Tensors.Select(t => (t.Name, Grad: model.Weight(t.Name).grad?.clone())).ToArray();
        var logits = model.Logits(ids);
        model.ClearGradients();

        model.Form = AttentionForm.Explicit;
        MoaSmall.Loss(model, ids, MoaSmall.Step()).Total.backward();

        MoaSmall.Near(model.Logits(ids), logits, 1e-11);
        Assert.All(expected, e =>
        {
            Assert.Equal(e.Grad is null, model.Weight(e.Name).grad is null);
            if (e.Grad is { } grad)
            {
                MoaSmall.Near(grad, model.Weight(e.Name).grad!, 1e-10);
            }
        });
        string[] unused = [.. expected.Where(e => e.Grad is null).Select(e => e.Name.Split('.')[^1]).Distinct().Order(StringComparer.Ordinal)];
        string[] scale = metric == "maha_diag" ? [] : ["log_scale"], ball = balls ? [] : ["origin", "radius"];
        Assert.Equal([.. scale, .. ball], unused);
    }

    [Theory]
    [InlineData("l2")]
    [InlineData("cosine")]
    [InlineData("maha_diag")]
    public void Check_5_balls_of_endless_radius_change_nothing_and_of_none_leave_each_row_itself(string metric)
    {
        var ids = Small.Ids(2, 12, 40);
        var (off, on) = (MoaSmall.Tiny(new { metric }), MoaSmall.Tiny(new { metric, use_balls = true }));
        using var quiet = no_grad();
        Radius(on, 1e9);
        MoaSmall.Near(off.Logits(ids), on.Logits(ids), 1e-12);
        (off.Form, on.Form) = (AttentionForm.Explicit, AttentionForm.Explicit);
        Assert.Equal(0.0, Small.Difference(off.Logits(ids), on.Logits(ids)));
        (off.Form, on.Form) = (AttentionForm.Augmented, AttentionForm.Augmented);

        Radius(on, -50);
        var closed = on.Logits(ids);
        Assert.True(closed.isfinite().all().item<bool>());
        Assert.NotEqual(0.0, Small.Difference(off.Logits(ids), closed));

        // Each row attends to itself alone: an early token reaches later rows through the convolutions and the discrepancy only,
        // which with two blocks end 2·(4 + 4) rows on.
        var far = Small.Ids(1, 30, 40);
        long[] other = far.HostArray<long>();
        other[0] = (other[0] + 1) % 40;
        Assert.Equal(0.0, Small.Difference(on.Logits(far).narrow(1, 20, 10), on.Logits(tensor(other, 1, 30)).narrow(1, 20, 10)));
        Assert.NotEqual(0.0, Small.Difference(off.Logits(far).narrow(1, 20, 10), off.Logits(tensor(other, 1, 30)).narrow(1, 20, 10)));
    }

    [Fact]
    public void Check_5_balls_draw_radius_origin_and_key_in_training_and_leave_the_value()
    {
        var model = MoaSmall.Tiny(new { use_balls = true, ti_weight = 0 });
        var ids = Small.Ids(2, 12, 40);
        var training = MoaSmall.Loss(model, ids, MoaSmall.Step());
        training.Total.backward();

        Assert.Equal(MoaSmall.Loss(model, ids, null).Total.Number(), training.Total.Number(), 1e-12);
        Assert.All(["mh.radius", "mh.origin", "mqa.radius", "mqa.origin"], name => Assert.NotEqual(0.0, Size(model.Weight($"blocks.0.{name}").grad!)));
    }

    [Fact]
    public void Check_7_cosine_scores_are_at_most_alpha_root_width()
    {
        var (q, k) = (Unit(MoaSmall.Random(1, 2, 3, 40, 16) * 100), Unit(MoaSmall.Random(2, 2, 3, 40, 16) * 100));
        var alpha = tensor(new[] { 0.5, 1.5, 4.0 });
        var inputs = new MetricInputs(q, k, k, alpha, null, true, null);
        var scores = MetricScores.Scores(inputs, cosine: true);
        var self = MetricScores.Scores(inputs with { Query_BHTN = k }, cosine: true);

        for (int h = 0; h < 3; h++)
        {
            double bound = new[] { 0.5, 1.5, 4.0 }[h] * 4;
            Assert.All(scores.select(1, h).HostArray<double>(), s => Assert.InRange(Math.Abs(s), 0, bound * (1 + 1e-9)));
            Assert.Equal(bound, self.select(1, h).amax([0, 1, 2]).Number(), 1e-9);
        }
    }

    [Theory]
    [InlineData("l2")]
    [InlineData("cosine")]
    [InlineData("maha_diag")]
    public void Check_9_a_shared_key_equals_tied_heads(string metric)
    {
        var model = MoaSmall.Tiny(new { metric, use_balls = true, radius_init = 2 });
        Assert.Equal([8L, 16L], model.Weight("blocks.0.mqa.k").shape);
        Assert.Equal([8L, 16L], model.Weight("blocks.0.mqa.v").shape);
        var config = new MoaConfig { Dim = 16, AttnHeads = 2, MqaQHeads = 2, RBasis = 3, Metric = metric, UseBalls = true };
        Tensor Tied(string name) => name is "k" or "v" ? cat([Mqa(name), Mqa(name)]) : Mqa(name);
        Tensor Mqa(string name) => model.Weight($"blocks.0.mqa.{name}");
        var shared = new MetricAttention(config, 1, Weights.Of(Mqa));
        var tied = new MetricAttention(config, 2, Weights.Of(Tied));
        var n = MoaSmall.Random(5, 2, 11, 16);
        var disc = MoaSmall.Random(6, 2, 11);
        using var quiet = no_grad();
        var rope = Rope(model, 1, "blocks.0.rope_mqa");
        MoaPass Pass() => new(0, float64, Tables(model), AttentionForm.Augmented, null);

        MoaSmall.Near(tied.Forward(n, disc, rope, Pass()), shared.Forward(n, disc, rope, Pass()), 1e-12);
    }

    [Fact]
    public void Check_11_rows_with_one_open_entry_are_exactly_one_hot()
    {
        const int matrices = 10_000, size = 6;
        var scores = MoaSmall.Random(4, matrices, size, size) * 1000;
        long[] open = Small.Draw(matrices * size, size, 9);
        var mask = full([matrices * size, size], double.NegativeInfinity, float64);
        mask.scatter_add_(1, tensor(open).unsqueeze(1), full([matrices * size, 1], double.PositiveInfinity, float64));
        mask = zeros([matrices * size, size], float64).masked_fill(mask.eq(double.NegativeInfinity), double.NegativeInfinity).view(matrices, size, size);

        var weights = (scores + mask).softmax(-1).view(matrices * size, size);

        Assert.True(weights.isfinite().all().item<bool>());
        Assert.All(weights.gather(1, tensor(open).unsqueeze(1)).HostArray<double>(), w => Assert.Equal(1.0, w));
        Assert.Equal(matrices * (double)size, weights.sum().Number());
    }

    [Fact]
    public void Dropout_acts_in_training_alone()
    {
        var model = MoaSmall.Tiny(new { attn_dropout = 0.3, proj_dropout = 0.3 });
        var ids = Small.Ids(2, 12, 40);
        using var quiet = no_grad();
        double Training(long step, long seed)
        {
            manual_seed(step);
            return MoaSmall.Loss(model, ids, MoaSmall.Step(step, seed)).Terms[0].Sum.Number();
        }

        Assert.Equal(Training(1, 1), Training(1, 1));
        Assert.NotEqual(Training(1, 1), Training(2, 1));
        Assert.NotEqual(Training(1, 1), Training(1, 2));
        Assert.Equal(MoaSmall.Loss(model, ids, null).Terms[0].Sum.Number(), MoaSmall.Loss(MoaSmall.Tiny(), ids, null).Terms[0].Sum.Number());
    }

    private static void Radius(MoaModel model, double stored)
    {
        foreach (string name in model.Plan.Tensors.Select(t => t.Name).Where(n => n.EndsWith(".radius", StringComparison.Ordinal)))
        {
            MoaSmall.Set(model, name, stored);
        }
    }

    private static BlackHoleRope Rope(MoaModel model, int heads, string prefix)
    {
        Assert.Equal(heads, model.Weight(prefix + ".en_bias").size(0));
        return new BlackHoleRope(new MoaConfig(), heads, Weights.Of(model.Weight, prefix));
    }

    private static FourierTables Tables(MoaModel model) => new(8, 3, 10000, model.Dtype, CPU);

    private static Tensor Unit(Tensor x) => x * (x.pow(2).sum(-1, true) + 1e-12).rsqrt();

    private static double Size(Tensor x) => x.pow(2).sum().Number();
}
