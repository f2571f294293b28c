using System.Text.Json;

namespace Hearth.Tests.Vuaf;

/// <summary>A VUAF model that a seed draws: under the calculator's short names, under the family's own, and the tensors that it must have.</summary>
internal sealed class DrawnConfig
{
    public const int Vocabulary = 41;
    private readonly int _width, _lowRank, _rwkvHead, _mambaState, _mambaHead, _expand, _attentionHead, _hidden, _experts;
    private readonly string[] _mixers, _channels;

    public DrawnConfig(int seed)
    {
        var random = new Random(seed);
        T Any<T>(params T[] values) => values[random.Next(values.Length)];
        Seed = seed;
        (_width, _rwkvHead) = Any((96, 32), (64, 16), (48, 24), (40, 8), (24, 24), (36, 12));
        _attentionHead = Any(_rwkvHead, _width / 2);
        _lowRank = Any(1, 5, 7, 16);
        _expand = Any(1, 2, 3);
        _mambaHead = Any(_width % 16 == 0 ? 16 : 4, _width, _width / 2);
        _mambaState = Any(3, 8, 16, 20);
        _hidden = Any(17, 32, 100);
        _experts = random.Next(2, 9);
        Loops = random.Next(1, 7);
        Norm = Any("token", "token", "sequence");
        bool rule = random.Next(3) > 0;
        int layers = rule ? Any(2, 4, 8) : random.Next(1, 6);
        int attention = layers / 2 % 2 == 1 ? layers / 2 : (layers / 2) + 1;
        _mixers = [.. Enumerable.Range(0, layers).Select(i => rule ? i % 2 == 0 ? "rwkv" : i == attention ? "attn" : "mamba" : Any("rwkv", "mamba", "attn"))];
        _channels = [.. Enumerable.Range(0, layers).Select(i => rule ? i % 2 == 0 ? "swiglu" : "moe" : Any("swiglu", "moe"))];
        Prior = Any("uniform", "geometric");
        Options = new { halt_prior = Prior, entropy_reg_coef = Any(0.01, 0.3), moe_lb_loss_coef = Any(0.0, 0.1), halt_init_bias = Any(-2.0, 0.0), decay_init = Any("runtime", "spread") };
    }

    public int Seed { get; }

    public int Loops { get; }

    public string Norm { get; }

    public string Prior { get; }

    /// <summary>Behaviours, which cases too have under the family's names.</summary>
    public object Options { get; }

    /// <summary>As a case has it.</summary>
    public string Json => Joined(new
    {
        vocab = Vocabulary,
        d = _width,
        layers = _mixers.Length,
        loops = Loops,
        head_dim = _rwkvHead,
        lowrank = _lowRank,
        mamba_state = _mambaState,
        mamba_head = _mambaHead,
        mamba_expand = _expand,
        attn_head_dim = _attentionHead,
        ffn = _hidden,
        experts = _experts,
        pattern = _mixers,
        channel = _channels,
        rwkv_norm = Norm,
    });

    /// <summary>As a run has it.</summary>
    public object Fields => JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(Joined(new
    {
        vocab_size = Vocabulary,
        d_model = _width,
        n_layers = _mixers.Length,
        loop_steps = Loops,
        rwkv_head_dim = _rwkvHead,
        rwkv_lowrank = _lowRank,
        mamba_d_state = _mambaState,
        mamba_d_head = _mambaHead,
        mamba_expand = _expand,
        attn_head_dim = _attentionHead,
        ffn_hidden = _hidden,
        moe_n_experts = _experts,
        token_mix_pattern = _mixers.Select(m => m switch { "rwkv" => "rwkv7", "mamba" => "mamba2", _ => m }),
        channel_mix_pattern = _channels,
        rwkv_norm = Norm,
    }))!;

    /// <summary>Names with shapes, sorted.</summary>
    public IEnumerable<string> Tensors()
    {
        int d = _width, inner = _expand * d;
        List<string> all = [$"embed.weight {Vocabulary}x{d}", $"final_norm.weight {d}", $"halt_head.proj.weight 1x{d}", "halt_head.proj.bias 1"];
        for (int i = 0; i < _mixers.Length; i++)
        {
            string m = $"blocks.{i}.token_mix.module", c = $"blocks.{i}.channel_mix.module";
            all.AddRange(new[] { "token_mix.pre", "token_mix.post", "channel_mix.pre", "channel_mix.post" }.Select(norm => $"blocks.{i}.{norm}.weight {d}"));
            all.AddRange(_mixers[i] switch
            {
                "rwkv" => [
                    .. new[] { "r", "k", "v", "kappa", "g" }.SelectMany(s => new[] { $"{m}.mix_{s} {d}", $"{m}.W_{s}.weight {d}x{d}" }),
                    $"{m}.w_low_in.weight {_lowRank}x{d}", $"{m}.w_low_out.weight {d}x{_lowRank}", $"{m}.w_low_out.bias {d}",
                    $"{m}.a_low_in.weight {_lowRank}x{d}", $"{m}.a_low_out.weight {d / _rwkvHead}x{_lowRank}", $"{m}.a_low_out.bias {d / _rwkvHead}",
                    $"{m}.out_proj.weight {d}x{d}", $"{m}.group_norm.weight {d}", $"{m}.group_norm.bias {d}"],
                "mamba" => [
                    $"{m}.A_log {inner / _mambaHead}", $"{m}.D {inner / _mambaHead}", $"{m}.in_proj.weight {inner + (2 * _mambaState) + (inner / _mambaHead)}x{d}",
                    $"{m}.out_proj.weight {d}x{inner}", $"{m}.norm.weight {inner}", $"{m}.norm.bias {inner}"],
                _ => new[] { $"{m}.qkv.weight {3 * d}x{d}", $"{m}.out_proj.weight {d}x{d}" },
            });
            all.AddRange(_channels[i] == "swiglu"
                ? SwiGlu(c)
                : [$"{c}.router.weight {_experts}x{d}", .. Enumerable.Range(0, _experts).SelectMany(e => SwiGlu($"{c}.experts.{e}"))]);
        }

        return all.Order(StringComparer.Ordinal);
    }

    private string[] SwiGlu(string name) => [$"{name}.w1.weight {_hidden}x{_width}", $"{name}.w2.weight {_hidden}x{_width}", $"{name}.w3.weight {_width}x{_hidden}"];

    private string Joined(object fields) => JsonSerializer.Serialize(fields)[..^1] + "," + JsonSerializer.Serialize(Options)[1..];
}
