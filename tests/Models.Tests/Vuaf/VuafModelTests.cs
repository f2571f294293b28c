using Hearth.Models;
using Hearth.Models.Blocks;
using Hearth.Models.Vuaf;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

/// <summary>The loop as a function: causal, cached as uncached, one set of weights for all steps.</summary>
public sealed class VuafModelTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Check_3_decoding_at_full_depth_equals_the_full_forward_for_64_tokens()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(2, 80, 40);
        using var quiet = no_grad();
        var full = model.Logits(ids);
        using var session = model.StartDecode();

        var parts = new List<Tensor> { session.Step(ids.narrow(1, 0, 9)) };
        for (int t = 9; t < 73; t++)
        {
            parts.Add(session.Step(ids.narrow(1, t, 1)));
        }

        parts.Add(session.Step(ids.narrow(1, 73, 7)));
        var cached = cat(parts, 1);

        Assert.InRange(Small.Difference(full, cached), 0, 1e-9);
        Assert.Equal(full.argmax(-1).ToArray<long>(), cached.argmax(-1).ToArray<long>());
    }

    [Fact]
    public void Check_3_the_norm_over_the_sequence_has_mean_0_and_variance_1_over_a_heads_channels_and_positions()
    {
        var mixer = Mixer(sequence: true, out var x_BTD);
        double[][] heads = Heads(mixer.Forward(x_BTD, Context, null));
        double[][] single = Heads(Mixer(sequence: false, out _).Forward(x_BTD, Context, null));

        Assert.All(heads, head => Assert.Equal(0, head.Average(), 1e-9));
        Assert.All(heads, head => Assert.Equal(1, head.Average(v => v * v), 1e-3));

        // Per token it is each position that has mean 0, with the norm over the sequence it is not.
        Assert.All(single.SelectMany(head => head.Chunk(8)), row => Assert.Equal(0, row.Average(), 1e-9));
        Assert.Contains(heads.SelectMany(head => head.Chunk(8)), row => Math.Abs(row.Average()) > 0.05);
    }

    [Fact]
    public void Check_3_decoding_under_the_norm_over_the_sequence_runs_the_text_again_and_says_so()
    {
        var model = VuafSmall.Tiny(new { rwkv_norm = "sequence" });
        var ids = Small.Ids(1, 12, 40);
        using var quiet = no_grad();
        using var session = model.StartDecode(new ExitOptions());
        session.Step(ids.narrow(1, 0, 7));

        var last = session.Step(ids.narrow(1, 7, 5));

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(1, 7, 5), last), 0, 1e-12);
        Assert.Contains("runs the whole text again", session.Notice, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_6_a_token_changes_no_logit_before_it_at_any_loop_step()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(2, 20, 40);
        using var quiet = no_grad();
        var before = model.Steps(ids, 4);
        for (int at = 1; at < 20; at += 6)
        {
            var after = model.Steps(Changed(ids, at), 4);
            foreach (var (a, b) in before.Zip(after))
            {
                Assert.InRange(Small.Difference(a.Logits_BTV.narrow(1, 0, at), b.Logits_BTV.narrow(1, 0, at)), 0, 1e-9);
                Assert.InRange(Small.Difference(a.Logits_BTV.narrow(1, at, 1), b.Logits_BTV.narrow(1, at, 1)), 1e-6, double.MaxValue);
            }
        }
    }

    [Fact]
    public void Check_6_the_norm_over_the_sequence_lets_later_tokens_change_earlier_logits()
    {
        var model = VuafSmall.Tiny(new { rwkv_norm = "sequence" });
        var ids = Small.Ids(1, 20, 40);
        using var quiet = no_grad();

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(1, 0, 15), model.Logits(Changed(ids, 15)).narrow(1, 0, 15)), 1e-3, double.MaxValue);
    }

    [Fact]
    public void Check_7_a_mixture_layer_permutes_with_its_tokens_and_an_even_router_balances_to_one()
    {
        var config = new VuafMoeConfig(16, 24, 4, 1);
        var weights = Weights(config.Tensors("m"));
        var mixture = config.Build(name => weights[name], "m");
        var x_BTD = empty([1, 9, 16], float64).normal_();
        var order = tensor(new long[] { 4, 0, 8, 2, 1, 3, 7, 6, 5 });

        Assert.InRange(
            Small.Difference(mixture.Forward(x_BTD, Context).index_select(1, order), mixture.Forward(x_BTD.index_select(1, order), Context)), 0, 1e-12);
        var balance = new List<Tensor>();
        weights["m.router.weight"].zero_();
        mixture.Forward(x_BTD, Context with { Balance = balance });
        Assert.Equal(1, Assert.Single(balance).item<double>(), 1e-12);
    }

    [Fact]
    public void Check_8_one_weight_changes_every_loop_step()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(1, 10, 40);
        using var quiet = no_grad();
        var before = model.Steps(ids, 4);
        model.Weight("blocks.2.token_mix.module.out_proj.weight").add_(ones([16, 16], float64), 0.05);

        Assert.All(before.Zip(model.Steps(ids, 4)), pair => Assert.InRange(Small.Difference(pair.First.Logits_BTV, pair.Second.Logits_BTV), 1e-6, double.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Check_8_a_model_runs_with_other_loops_and_a_step_does_not_depend_on_how_many_follow(int loops)
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(2, 10, 40);
        using var quiet = no_grad();
        var four = model.Steps(ids, 4);
        var other = VuafSmall.Like(model, new { loop_steps = loops }).Steps(ids, loops);

        Assert.All(four.Zip(other), pair => Assert.Equal(0.0, Small.Difference(pair.First.Logits_BTV, pair.Second.Logits_BTV)));
        Assert.Equal(loops, other.Count);
        Assert.Equal(0.0, Small.Difference(other[^1].Logits_BTV, model.Logits(ids, loops)));
    }

    [Fact]
    public void A_row_alone_is_the_row_in_a_batch()
    {
        var model = VuafSmall.Tiny();
        var ids = Small.Ids(3, 17, 40);
        using var quiet = no_grad();

        Assert.InRange(Small.Difference(model.Logits(ids).narrow(0, 1, 1), model.Logits(ids.narrow(0, 1, 1))), 0, 1e-9);
    }

    private static ForwardContext Context => new(0, float64, new RopeTables(float64, CPU));

    // A mixer whose output is half its normed heads: the gate is σ(0), the projection the identity, the norm's weight 2.
    private static Mixer Mixer(bool sequence, out Tensor x_BTD)
    {
        var config = new RwkvMixerConfig(16, 8, 4, sequence, SpreadDecay: false);
        var weights = Weights(config.Tensors("m"));
        weights["m.W_g.weight"].zero_();
        weights["m.out_proj.weight"].zero_().add_(ones([16, 16], float64).tril().triu());
        weights["m.group_norm.weight"].fill_(2);
        weights["m.group_norm.bias"].zero_();
        x_BTD = empty([1, 11, 16], float64).normal_();
        return config.Build(name => weights[name], "m");
    }

    private static Dictionary<string, Tensor> Weights(IEnumerable<TensorSpec> specs)
    {
        manual_seed(9);
        return specs.ToDictionary(s => s.Name, s => empty([.. s.Shape], float64).normal_(0, 0.5), StringComparer.Ordinal);
    }

    // Each head's values at all positions, position by position.
    private static double[][] Heads(Tensor y_BTD) =>
        [.. Enumerable.Range(0, 2).Select(h => y_BTD.narrow(2, h * 8, 8).contiguous().ToArray<double>())];

    private static Tensor Changed(Tensor ids, int at)
    {
        long[] other = ids.ToArray<long>();
        other[at] = (other[at] + 1) % 40;
        return tensor(other, ids.shape);
    }
}
