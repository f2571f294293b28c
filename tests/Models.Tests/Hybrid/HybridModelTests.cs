using System.Text.Json;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Hybrid;
using Hearth.Runs;
using Xunit;
using static TorchSharp.torch;

namespace Hearth.Tests.Hybrid;

/// <summary>The Hybrid family's own acceptance checks of start, hashing, windows and caches.</summary>
public sealed class HybridModelTests : IDisposable
{
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public HybridModelTests() => manual_seed(21);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Hybrid_check_2_at_the_start_every_layer_passes_its_input_on()
    {
        var model = Build();
        using var quiet = no_grad();
        var ids = Small.Ids(2, 20, 60);
        var embedded = Operators.Embedding(ids, model.Weight("tok_emb"));
        var normed = Functions.RmsNorm(embedded, 1e-6);
        var before = cat([zeros([2, 1, 16], ScalarType.Float64), normed.narrow(1, 0, 19)], 1);
        var smeared = normed + ((before - normed) * model.Weight("smear.gate").sigmoid());
        var expected = (Functions.RmsNorm(smeared, 1e-6).matmul(model.Weight("tok_emb").transpose(0, 1)) / 30).tanh() * 30;

        // The pair table is zero at the start, so the embedding alone is the whole of the stream.
        Assert.Equal(0.0, Small.Difference(expected, model.Logits(ids)));
    }

    [Fact]
    public void Hybrid_check_3_without_layers_smear_and_bigram_reach_one_token_on()
    {
        var model = Awake(new { });
        using var quiet = no_grad();
        foreach (var name in model.Plan.Tensors.Select(t => t.Name).Where(n => n.EndsWith("attn_scale", StringComparison.Ordinal) || n.EndsWith("mlp_scale", StringComparison.Ordinal)))
        {
            model.Weight(name).zero_();
        }

        // A pair's row is smeared too.
        Assert.Equal([8, 9, 10], Reached(model, at: 8, length: 30));

        // Both alone: a gate at −∞ is no smearing, a table of zeros no pairs.
        var gate = model.Weight("smear.gate").detach().clone();
        model.Weight("smear.gate").fill_(-1e4);
        Assert.Equal([8, 9], Reached(model, at: 8, length: 30));
        model.Weight("bigram.embed").zero_();
        Assert.Equal([8], Reached(model, at: 8, length: 30));
        model.Weight("smear.gate").copy_(gate);
        Assert.Equal([8, 9], Reached(model, at: 8, length: 30));
    }

    [Fact]
    public void Hybrid_check_3_a_window_sees_its_length_and_the_last_attention_everything()
    {
        // Layer 0 has a window of 5 and is the only one that mixes; without smear and bigram a row is its token.
        var windowed = Alone(0);
        Assert.Equal([.. Enumerable.Range(8, 6)], Reached(windowed, at: 8, length: 30));

        var last = Alone(2);
        Assert.Equal([.. Enumerable.Range(8, 22)], Reached(last, at: 8, length: 30));
    }

    [Fact]
    public void Hybrid_check_4_a_shift_layer_uses_a_row_and_the_one_before()
    {
        Assert.Equal([8, 9], Reached(Alone(1), at: 8, length: 30));
    }

    [Fact]
    public void Hybrid_check_5_pairs_hash_as_stored()
    {
        // Current token, token before, row of a table of 2,048; from the original's arithmetic.
        long[][] table =
        [
            [0, 0, 0], [1, 0, 1514], [0, 1, 580], [1, 1, 11], [255, 255, 1154],
            [1023, 1023, 977], [1023, 0, 1290], [0, 1023, 1757], [512, 17, 835], [17, 512, 269],
            [3, 4, 343], [97, 98, 474], [300, 299, 1978], [640, 32, 1632], [32, 640, 1450],
            [777, 776, 1802], [5, 1000, 1903], [1000, 5, 452], [64, 64, 704], [1022, 1, 326],
        ];
        foreach (long[] entry in table)
        {
            var (current, previous, row) = (entry[0], entry[1], entry[2]);

            Assert.Equal([2047, row], BigramHash.Rows(tensor([previous, current], 1, 2), null, 2048).HostArray<long>());
            Assert.Equal([row], BigramHash.Rows(tensor([current], 1, 1), tensor([previous], 1, 1), 2048).HostArray<long>());
        }

        long[] all = BigramHash.Rows(Small.Ids(4, 500, 1024), null, 2048).narrow(1, 1, 499).flatten().HostArray<long>();
        Assert.InRange(all.Min(), 0, 2046);
        Assert.InRange(all.Max(), 2000, 2046);
    }

    [Fact]
    public void Hybrid_check_6_the_own_values_direction_is_removed_and_nothing_else()
    {
        var y = empty([2, 4, 9, 8], ScalarType.Float32).normal_();
        var v = empty([2, 4, 9, 8], ScalarType.Float32).normal_();
        var left = WindowScores.RemoveDirection(y, v);
        var unit = v / v.pow(2).sum(-1, keepdim: true).sqrt();

        Assert.InRange((left * unit).sum(-1).abs().flatten().HostArray<float>().Max(), 0, 1e-5);
        Assert.InRange(Small.Difference(y - (unit * (y * unit).sum(-1, keepdim: true)), left), 0, 1e-5);

        // Of three layers the last two attend among the last one: only layer 2 removes.
        var (on, off) = (Awake(new { xsa_last_n = 1 }), Awake(new { xsa_last_n = 0 }));
        using var quiet = no_grad();
        var ids = Small.Ids(1, 12, 60);
        Assert.NotEqual(0.0, Small.Difference(on.Logits(ids), off.Logits(ids)));
        on.Weight("blocks.2.attn_scale").zero_();
        off.Weight("blocks.2.attn_scale").zero_();
        Assert.Equal(0.0, Small.Difference(on.Logits(ids), off.Logits(ids)));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-4)]
    [InlineData(ScalarType.Float64, 1e-10)]
    public void Hybrid_check_7_cached_decoding_equals_the_full_forward_over_300_tokens(ScalarType dtype, double tolerance)
    {
        var model = Awake(new { window = 128, max_seq_len = 300 }, dtype);
        using var quiet = no_grad();
        var ids = Small.Ids(1, 300, 60);
        var full = model.Logits(ids);
        foreach (int[] split in (int[][])[[300], [1, 128, 1, 129, 41], [100, 100, 100], [290, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
        {
            using var session = model.StartDecode();
            var parts = new List<Tensor>();
            int at = 0;
            foreach (int rows in split)
            {
                parts.Add(session.Step(ids.narrow(1, at, rows)));
                at += rows;
            }

            Assert.InRange(Small.Difference(full, cat(parts, 1)), 0, tolerance);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(50)]
    public void Blocks_of_the_windows_length_equal_the_whole_mask(int time)
    {
        var (q, k, v) = (empty([2, 3, time, 8], ScalarType.Float64).normal_(), empty([2, 3, time, 8], ScalarType.Float64).normal_(), empty([2, 3, time, 8], ScalarType.Float64).normal_());

        Assert.InRange(Small.Difference(WindowScores.Dense(q, k, v, 8), WindowScores.Blocks(q, k, v, 8)), 0, 1e-14);
    }

    [Fact]
    public void Hybrid_check_12_logits_stay_within_the_softcap_and_its_slope_is_one_minus_tanh_squared()
    {
        var z = tensor([-300.0, -20, 0, 7, 45]).requires_grad_();
        var bent = Functions.Softcap(z, 30);
        bent.sum().backward();

        Assert.All(bent.HostArray<double>(), x => Assert.InRange(x, -30, 30));
        Assert.All(z.HostArray<double>().Zip(z.grad!.HostArray<double>()), p => Assert.Equal(1 - Math.Pow(Math.Tanh(p.First / 30), 2), p.Second, 1e-12));
        var model = Awake(new { });
        using var quiet = no_grad();
        model.Weight("tok_emb").mul_(1e4);
        Assert.InRange(model.Logits(Small.Ids(1, 9, 60)).abs().flatten().HostArray<double>().Max(), 29, 30);
    }

    [Theory]
    [InlineData("{\"attn_layers\":[3]}", "model.attn_layers is 3. Allowed: 0 to 2, each once.")]
    [InlineData("{\"attn_layers\":[1,1]}", "model.attn_layers is 1, 1. Allowed: 0 to 2, each once.")]
    [InlineData("{\"attn_layers\":[]}", "model.attn_layers is empty. Allowed: at least one layer.")]
    [InlineData("{\"attn_layers\":[-1]}", "model.attn_layers is [-1]. Allowed: a list of whole numbers, 0 to 511.")]
    [InlineData("{\"rope_dims\":6}", "model.rope_dims is 6. Allowed: even, at most the head width 4.")]
    [InlineData("{\"vocab_size\":60000}", "model.vocab_size is 60000. Allowed: 2 to 59,139.")]
    public void A_wrong_field_is_named_with_what_is_allowed(string json, string message)
    {
        var errors = new List<FieldError>();
        var all = Tiny(JsonSerializer.Deserialize<JsonElement>(json));

        Assert.Null(Families.Plan(Small.Model(all, family: "hybrid"), errors));
        Assert.Equal(message, Assert.Single(errors).Message);
    }

    [Fact]
    public void A_matrix_starts_orthogonal_and_pairs_are_damped_by_depth()
    {
        var model = Build();
        var q = model.Weight("blocks.0.q");
        var proj = model.Weight("bigram.proj");

        Assert.InRange(Small.Difference(eye(16), q.matmul(q.transpose(0, 1))), 0, 1e-6);
        Assert.InRange(Small.Difference(eye(8) / 6.0, proj.transpose(0, 1).matmul(proj)), 0, 1e-6);
        static Tensor eye(int n) => ones([n, n], ScalarType.Float64).tril().triu();
    }

    private static Dictionary<string, JsonElement> Tiny(JsonElement overrides)
    {
        var all = JsonSerializer.SerializeToElement(new
        {
            vocab_size = 60, d_model = 16, n_layer = 3, n_head = 4, n_kv_head = 2, attn_layers = new[] { 0, 2 }, window = 5, rope_dims = 2,
            bigram_vocab = 40, bigram_dim = 8, ve_dim = 8, ve_layers = new[] { 1, 2 }, xsa_last_n = 1, max_seq_len = 64,
        }).EnumerateObject().ToDictionary(p => p.Name, p => p.Value);
        foreach (var property in overrides.EnumerateObject())
        {
            all[property.Name] = property.Value;
        }

        return all;
    }

    private static LanguageModel Build(object? overrides = null, ScalarType dtype = ScalarType.Float64) =>
        Families.Plan(Small.Model(Tiny(JsonSerializer.SerializeToElement(overrides ?? new { })), family: "hybrid"), [])!.Build(dtype, CPU, 3);

    private static LanguageModel Awake(object overrides, ScalarType dtype = ScalarType.Float64)
    {
        var model = Build(overrides, dtype);
        using var quiet = no_grad();
        foreach (var tensor in model.Plan.Tensors.Where(t => t.Init.Kind == InitKind.Zeros))
        {
            model.Weight(tensor.Name).normal_(0, 0.3);
        }

        return model;
    }

    /// <summary>Only layer <paramref name="index"/> mixes over time.</summary>
    private static LanguageModel Alone(int index)
    {
        var model = Awake(new { });
        using var quiet = no_grad();
        model.Weight("smear.gate").fill_(-1e4);
        model.Weight("bigram.embed").zero_();
        foreach (int other in Enumerable.Range(0, 3).Where(i => i != index))
        {
            model.Weight($"blocks.{other}.attn_scale").zero_();
        }

        return model;
    }

    /// <summary>Positions whose logits change with the token at <paramref name="at"/>.</summary>
    private static int[] Reached(LanguageModel model, int at, int length)
    {
        using var quiet = no_grad();
        long[] ids = Small.Draw(length, 60, 5);
        var before = model.Logits(tensor(ids, 1, length));
        ids[at] = (ids[at] + 1) % 60;
        var after = model.Logits(tensor(ids, 1, length));
        return [.. Enumerable.Range(0, length).Where(t => Small.Difference(before.select(1, t), after.select(1, t)) > 0)];
    }
}
