using Hearth.Kernels;
using Hearth.Models.Moa;
using Hearth.Runs;
using Hearth.Training.Optim;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>Caches, causality and a first training (acceptance checks 8 and 10).</summary>
public sealed class MoaDecodeTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, bool, int> Kinds() => new()
    {
        { "l2", false, 0 },
        { "l2", true, 2 },
        { "cosine", false, 2 },
        { "cosine", true, 0 },
        { "maha_diag", false, 0 },
        { "maha_diag", true, 2 },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Check_8_decoding_in_any_chunks_equals_the_full_forward(string metric, bool balls, int topk)
    {
        var model = MoaSmall.Tiny(new { metric, use_balls = balls, radius_init = 2, router_topk = topk });
        var ids = Small.Ids(2, 50, 40);
        using var quiet = no_grad();
        var full = model.Logits(ids);

        foreach (int[] chunks in new int[][] { [50], [1, 2, 3, 44], [7, .. Enumerable.Repeat(1, 33), 10], [.. Enumerable.Repeat(1, 50)], [40, 5, 5] })
        {
            using var session = model.StartDecode();
            var parts = new List<Tensor>();
            foreach (int chunk in chunks)
            {
                parts.Add(session.Step(ids.narrow(1, parts.Sum(p => p.size(1)), chunk)));
            }

            MoaSmall.Near(full, cat(parts, 1), 1e-11);
        }
    }

    [Fact]
    public void Check_8_decoding_is_near_in_fp32_and_in_bf16_products()
    {
        var ids = Small.Ids(1, 40, 40);
        using var quiet = no_grad();
        foreach (var (compute, tolerance) in new[] { (float32, 1e-4), (bfloat16, 0.2) })
        {
            var model = MoaSmall.Tiny(new { }, float32, compute);
            using var session = model.StartDecode();
            Tensor[] parts = [session.Step(ids.narrow(1, 0, 30)), .. Enumerable.Range(30, 10).Select(t => session.Step(ids.narrow(1, t, 1)))];

            MoaSmall.Near(model.Logits(ids), cat(parts, 1), tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Check_8_a_token_changes_no_logit_before_it(string metric, bool balls, int topk)
    {
        var model = MoaSmall.Tiny(new { metric, use_balls = balls, radius_init = 2, router_topk = topk });
        var ids = Small.Ids(1, 20, 40);
        using var quiet = no_grad();
        var before = model.Logits(ids);
        for (int at = 1; at < 20; at += 6)
        {
            long[] other = ids.HostArray<long>();
            other[at] = (other[at] + 1) % 40;
            var changed = model.Logits(tensor(other, 1, 20));

            Assert.Equal(0.0, Small.Difference(before.narrow(1, 0, at), changed.narrow(1, 0, at)));
            Assert.NotEqual(0.0, Small.Difference(before.select(1, at), changed.select(1, at)));
        }
    }

    [Fact]
    public void Check_8_a_row_alone_is_the_row_in_a_batch()
    {
        var model = MoaSmall.Tiny(new { use_balls = true, radius_init = 2 });
        var ids = Small.Ids(3, 17, 40);
        using var quiet = no_grad();

        MoaSmall.Near(model.Logits(ids).narrow(0, 1, 1), model.Logits(ids.narrow(0, 1, 1)), 1e-12);
    }

    [Fact]
    public void Nothing_that_a_session_kept_outlives_it()
    {
        var model = MoaSmall.Tiny(new { use_balls = true });
        using var quiet = no_grad();
        model.Logits(Small.Ids(1, 40, 40));
        long before;
        using (NewDisposeScope())
        {
            before = LiveTensors.Settled();
            using var session = model.StartDecode();
            session.Step(Small.Ids(1, 5, 40));
            session.Step(Small.Ids(1, 35, 40));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_text_past_the_longest_is_refused_with_both_lengths()
    {
        var model = MoaSmall.Tiny(new { max_position_embeddings = 8 });
        using var session = model.StartDecode();
        session.Step(Small.Ids(1, 8, 40));

        var error = Assert.Throws<ArgumentException>(() => session.Step(Small.Ids(1, 1, 40)));

        Assert.Contains("9 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("longest is 8", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_10_nano_learns_random_rows_by_heart()
    {
        double last = Train(steps: 100, lr: 3e-3)[^1];

        Assert.InRange(last, 0, 0.6 * Math.Log(512));
    }

    [Fact]
    public void Check_10_nano_stays_finite_at_a_high_rate() => Assert.All(Train(steps: 50, lr: 1e-2), loss => Assert.True(double.IsFinite(loss)));

    // 32 fixed rows of 65 uniform ids, 8 rows a step in order; the cross entropy before each step.
    private static double[] Train(int steps, double lr)
    {
        var model = (MoaModel)MoaSmall.Plan().Build(float32, CPU, 1);
        using var optimizer = new AdamW(model, new OptimizerSpec { Lr = lr, WeightDecay = 0.01 });
        var rows = Small.Ids(32, 65, 512);
        var losses = new double[steps];
        for (int step = 0; step < steps; step++)
        {
            using var scope = NewDisposeScope();
            optimizer.ClearGradients();
            var loss = MoaSmall.Loss(model, rows.narrow(0, step % 4 * 8, 8), MoaSmall.Step(step));
            losses[step] = loss.Terms[0].Sum.Number() / (8 * 64);
            loss.Total.backward();
            optimizer.ClipGradNorm(1);
            optimizer.Step(1);
        }

        return losses;
    }
}
