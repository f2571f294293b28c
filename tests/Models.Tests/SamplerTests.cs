using Hearth.Kernels;
using Hearth.Models;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests;

public sealed class SamplerTests
{
    [Fact]
    public void The_likeliest_of_equals_is_the_lowest_id()
    {
        Assert.Equal(1, new TokenDraw(new Sampling(), new DecodingFeatures()).From([0, 5, 5, 3]));
    }

    [Fact]
    public void Tokens_come_as_often_as_their_probability_says()
    {
        var how = new Sampling(Temperature: 0.5);
        double[] logits = [0, 0.5, -0.5, 1];
        double[] weights = [.. logits.Select(z => Math.Exp(z / 0.5))];
        var seen = Counts(logits, how, 20_000);

        for (int i = 0; i < 4; i++)
        {
            Assert.InRange(seen[i] / 20_000.0, (weights[i] / weights.Sum()) - 0.02, (weights[i] / weights.Sum()) + 0.02);
        }
    }

    [Fact]
    public void Only_the_k_likeliest_are_drawn()
    {
        var seen = Counts([1, 3, 2, 2.5], new Sampling(Temperature: 5, TopK: 2), 2_000);

        Assert.Equal((0, 0), (seen[0], seen[2]));
        Assert.True(seen[1] > 0 && seen[3] > 0);
    }

    [Theory]
    [InlineData(0.0, new[] { 1 })]
    [InlineData(0.64, new[] { 1 })]
    [InlineData(0.89, new[] { 1, 3 })]
    [InlineData(0.97, new[] { 1, 2, 3 })]
    [InlineData(1.0, new[] { 0, 1, 2, 3 })]
    public void Only_the_likeliest_within_the_mass_are_drawn_and_the_first_always(double mass, int[] expected)
    {
        // Probabilities 0.0321, 0.6439, 0.0871 and 0.2369.
        int[] seen = Counts([0, 3, 1, 2], new Sampling(Temperature: 1) { TopP = mass }, 4_000, reaches: false);

        Assert.Equal(expected, Enumerable.Range(0, 4).Where(i => seen[i] > 0));
    }

    [Theory]
    [InlineData(0.0, new[] { 1 })]
    [InlineData(0.64, new[] { 1 })]
    [InlineData(0.65, new[] { 1, 3 })]
    [InlineData(0.89, new[] { 1, 2, 3 })]
    [InlineData(1.0, new[] { 0, 1, 2, 3 })]
    public void The_fewest_that_reach_the_mass_are_drawn(double mass, int[] expected)
    {
        int[] seen = Counts([0, 3, 1, 2], new Sampling(Temperature: 1) { TopP = mass }, 4_000);

        Assert.Equal(expected, Enumerable.Range(0, 4).Where(i => seen[i] > 0));
    }

    [Theory]
    [InlineData(0.0, new[] { 0, 1, 2, 3 })]
    [InlineData(0.1, new[] { 1, 2, 3 })]
    [InlineData(0.2, new[] { 1, 3 })]
    [InlineData(1.0, new[] { 1 })]
    public void Tokens_below_a_share_of_the_likeliest_are_never_drawn(double share, int[] expected)
    {
        // Against the likeliest: 0.0498, 1, 0.1353 and 0.3679.
        int[] seen = Counts([0, 3, 1, 2], new Sampling(Temperature: 1) { MinP = share }, 4_000);

        Assert.Equal(expected, Enumerable.Range(0, 4).Where(i => seen[i] > 0));
    }

    [Fact]
    public void A_penalty_counts_each_token_of_the_text_once()
    {
        var draw = new TokenDraw(new Sampling { RepetitionPenalty = 2 }, new DecodingFeatures());

        Assert.Equal(0, draw.From([4, 3, -1]));
        draw.Fed([0, 0, 0]);
        Assert.Equal(1, draw.From([4, 3, -1]));
        Assert.Equal(0, draw.From([4, 1.9, -1]));
        draw.Fed([1, 2]);
        Assert.Equal(1, draw.From([-3, -2.5, -2.6]));
        Assert.Equal(1, new TokenDraw(new Sampling { RepetitionPenalty = 2 }, new DecodingFeatures()).From([-3, -2.5, -2.6]));
    }

    [Fact]
    public void A_penalised_text_repeats_itself_less()
    {
        using var scope = NewDisposeScope();
        var model = Small.Tiny();

        int plain = Sampler.Generate(model, [1, 2, 3], 24, new Sampling()).Distinct().Count();
        int penalised = Sampler.Generate(model, [1, 2, 3], 24, new Sampling { RepetitionPenalty = 10 }).Distinct().Count();

        Assert.True(penalised > plain, $"{penalised} different tokens with a penalty, {plain} without");
    }

    [Fact]
    public void The_mass_is_that_of_the_k_likeliest()
    {
        // Of the two likeliest the first has 0.731; of all four 0.644.
        int[] seen = Counts([0, 3, 1, 2], new Sampling(Temperature: 1, TopK: 2) { TopP = 0.7 }, 1_000);

        Assert.Equal([0, 1_000, 0, 0], seen);
    }

    [Fact]
    public void The_likeliest_tokens_are_those_of_the_softmax_and_of_equals_the_lowest_id_comes_first()
    {
        double[] logits = [Math.Log(1), Math.Log(4), Math.Log(2), Math.Log(4), Math.Log(5)];

        Assert.Equal("4:0.3125 1:0.2500 3:0.2500", string.Join(' ', Sampler.Likeliest(logits, 3).Select(t => System.FormattableString.Invariant($"{t.Token}:{t.Probability:0.0000}"))));
        Assert.Equal(5, Sampler.Likeliest(logits, 9).Count);
        Assert.Equal(1, Sampler.Likeliest(logits, 9).Sum(t => t.Probability), 12);
        Assert.Empty(Sampler.Likeliest(logits, 0));
    }

    [Fact]
    public void A_seed_decides_the_text_and_the_training_generator_stays_where_it_is()
    {
        using var scope = NewDisposeScope();
        var model = Small.Tiny();
        var how = new Sampling(1.0, 10, 42);
        byte[] before = get_rng_state().HostArray<byte>();

        int[] text = [.. Sampler.Generate(model, [1, 2, 3], 20, how)];

        Assert.Equal(20, text.Length);
        Assert.Equal(text, Sampler.Generate(model, [1, 2, 3], 20, how));
        Assert.NotEqual(text, Sampler.Generate(model, [1, 2, 3], 20, how with { Seed = 43 }));
        Assert.Equal(before, get_rng_state().HostArray<byte>());
    }

    [Fact]
    public void Greedy_text_is_the_argmax_of_the_full_forward_at_every_step()
    {
        using var scope = NewDisposeScope();
        var model = Small.Tiny();
        var text = new List<long> { 5, 9, 30 };
        int[] got = [.. Sampler.Generate(model, [5, 9, 30], 12, new Sampling())];

        foreach (int next in got)
        {
            Assert.Equal(Sampler.Likeliest(model.Logits(tensor(text.ToArray(), 1, text.Count)).select(1, text.Count - 1).flatten()), next);
            text.Add(next);
        }
    }

    [Fact]
    public void A_long_prompt_keeps_its_end_and_the_text_stops_at_the_models_longest()
    {
        using var scope = NewDisposeScope();
        var model = Small.Tiny(new { max_seq_len = 16 });
        int[] prompt = [.. Enumerable.Range(0, 30)];

        int[] text = [.. Sampler.Generate(model, prompt, 100, new Sampling())];

        Assert.Equal(8, text.Length);
        Assert.Equal(Sampler.Generate(model, prompt[^8..], 8, new Sampling()), text);
    }

    private static int[] Counts(double[] logits, Sampling how, int times, bool reaches = true)
    {
        int[] seen = new int[logits.Length];
        var draw = new TokenDraw(how with { Seed = 9 }, new DecodingFeatures(TopPReaches: reaches));
        for (int i = 0; i < times; i++)
        {
            seen[draw.From(logits)]++;
        }

        return seen;
    }
}
