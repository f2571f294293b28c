using Hearth.Kernels;
using Hearth.Models.Blocks;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>The decoder as a function: causal, cached as uncached, one row as many.</summary>
public sealed class DecoderTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string, bool, bool, int> Kinds() => new()
    {
        { "res", true, false, 2 },
        { "block", false, true, 1 },
        { "block", true, false, 4 },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_token_changes_no_logit_before_it(string kind, bool tied, bool qkNorm, int kv)
    {
        var model = Model(kind, tied, qkNorm, kv, ScalarType.Float32);
        var ids = Small.Ids(1, 20, 40);
        using var quiet = no_grad();
        var before = model.Logits(ids);
        var headsBefore = model.MtpLogits(ids);

        for (int at = 1; at < 20; at += 6)
        {
            long[] other = ids.HostArray<long>();
            other[at] = (other[at] + 1) % 40;
            var changed = tensor(other, 1, 20);

            Assert.Equal(0.0, Small.Difference(before.narrow(1, 0, at), model.Logits(changed).narrow(1, 0, at)));
            Assert.NotEqual(0.0, Small.Difference(before.select(1, at), model.Logits(changed).select(1, at)));
            var heads = model.MtpLogits(changed);
            for (int k = 1; k < at; k++)
            {
                if (k > heads.Count)
                {
                    break;
                }

                // Head k at row t reads tokens up to t + k.
                int rows = at - k;
                Assert.Equal(0.0, Small.Difference(headsBefore[k - 1].narrow(1, 0, rows), heads[k - 1].narrow(1, 0, rows)));
                Assert.NotEqual(0.0, Small.Difference(headsBefore[k - 1].select(1, rows), heads[k - 1].select(1, rows)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decoding_with_a_cache_equals_the_full_forward(string kind, bool tied, bool qkNorm, int kv)
    {
        var model = Model(kind, tied, qkNorm, kv);
        var ids = Small.Ids(2, 50, 40);
        using var quiet = no_grad();
        var full = model.Logits(ids);
        using var session = model.StartDecode();

        // A prompt, single tokens past the first growth of the cache, and a chunk on top of cached rows.
        var parts = new List<Tensor> { session.Step(ids.narrow(1, 0, 7)) };
        for (int t = 7; t < 40; t++)
        {
            parts.Add(session.Step(ids.narrow(1, t, 1)));
        }

        parts.Add(session.Step(ids.narrow(1, 40, 10)));

        Assert.InRange(Small.Difference(full, cat(parts, 1)), 0, 1e-12);
    }

    [Fact]
    public void A_text_past_the_longest_is_refused_with_both_lengths()
    {
        var model = Small.Tiny(new { max_seq_len = 8 });
        using var session = model.StartDecode();
        session.Step(Small.Ids(1, 8, 40));

        var error = Assert.Throws<ArgumentException>(() => session.Step(Small.Ids(1, 1, 40)));

        Assert.Contains("9 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("longest is 8", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Query_and_key_norms_make_scores_blind_to_the_weights_length()
    {
        var model = Small.Tiny(new { qk_norm = true, norm_eps = 1e-12 });
        var ids = Small.Ids(1, 9, 40);
        using var quiet = no_grad();
        var before = model.Logits(ids);

        model.Weight("blocks.0.q").mul_(3.0);
        model.Weight("blocks.1.k").mul_(0.5);
        Assert.InRange(Small.Difference(before, model.Logits(ids)), 0, 1e-9);

        model.Weight("blocks.0.q_norm").mul_(3.0);
        Assert.True(Small.Difference(before, model.Logits(ids)) > 1e-4);
    }

    [Fact]
    public void A_seed_decides_every_weight_and_statistics_are_those_of_the_table()
    {
        var model = (Decoder)Small.Plan(new { mtp_kind = "res", tie_embeddings = false }).Build(ScalarType.Float32, CPU, 5);
        var again = Small.Plan(new { mtp_kind = "res", tie_embeddings = false }).Build(ScalarType.Float32, CPU, 5);
        var other = Small.Plan(new { mtp_kind = "res", tie_embeddings = false }).Build(ScalarType.Float32, CPU, 6);

        Assert.All(model.Plan.Tensors, t => Assert.Equal(0.0, Small.Difference(model.Weight(t.Name), again.Weight(t.Name))));
        Assert.NotEqual(0.0, Small.Difference(model.Weight("blocks.0.q"), other.Weight("blocks.0.q")));
        Assert.Equal(0.0, Largest(model, "mtp.2.res"));
        Assert.Equal(1.0, model.Weight("final_norm").HostArray<float>().Min());
        Assert.InRange(Math.Sqrt(model.Weight("tok_emb").pow(2).mean().Number()), 0.0195, 0.0205);

        // Xavier's bound √(6/(in+out)); o and down carry 1/√(2L), here a half.
        Bound(model, "blocks.0.q", Math.Sqrt(6.0 / 128));
        Bound(model, "blocks.0.k", Math.Sqrt(6.0 / 80));
        Bound(model, "blocks.1.o", Math.Sqrt(6.0 / 128) / 2);
        Bound(model, "blocks.1.ffn.down", Math.Sqrt(6.0 / 240) / 2);
        Bound(model, "mtp.1.proj", Math.Sqrt(6.0 / 192));
        Bound(model, "lm_head", Math.Sqrt(6.0 / 576));
    }

    [Fact]
    public void Narrow_products_stay_near_the_full_ones_and_masters_stay_full()
    {
        var full = Model("block", false, false, 2, ScalarType.Float32);
        var narrow = Small.Tiny(new { mtp_kind = "block", tie_embeddings = false }, ScalarType.Float32, ScalarType.BFloat16);
        using (no_grad())
        {
            foreach (var (name, weight) in full.NamedParameters)
            {
                narrow.Weight(name).copy_(weight);
            }
        }

        var ids = Small.Ids(2, 24, 40);
        var totals = full.Count([.. ids.HostArray<long>().Select(i => (int)i)], 24);
        var (a, b) = (full.Loss(ids, ids, totals).Total, narrow.Loss(ids, ids, totals).Total);
        b.backward();

        Assert.InRange(Math.Abs(a.Number() - b.Number()), 1e-7, 0.02);
        Assert.All(narrow.Parameters, p => Assert.Equal((ScalarType.Float32, ScalarType.Float32), (p.dtype, p.grad!.dtype)));
    }

    private static Decoder Model(string kind, bool tied, bool qkNorm, int kv, ScalarType dtype = ScalarType.Float64) =>
        Small.Tiny(new { mtp_kind = kind, tie_embeddings = tied, qk_norm = qkNorm, n_kv_head = kv }, dtype);

    private static double Largest(Decoder model, string name) => model.Weight(name).HostArray<double>().Max(Math.Abs);

    private static void Bound(Decoder model, string name, double bound) => Assert.InRange(Largest(model, name), bound * 0.97, bound * 1.0001);
}
