using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models.Vuaf;

/// <summary>VUAF: RWKV-7, Mamba-2 and one attention layer in a stack that is applied R times and may stop early (docs/families/vuaf.md).</summary>
public sealed class VuafFamily : IFamily
{
    internal static readonly IReadOnlyDictionary<string, VuafConfig> Presets = new Dictionary<string, VuafConfig>(StringComparer.Ordinal)
    {
        ["nano"] = new() { VocabSize = 512, DModel = 64, LoopSteps = 2, RwkvLowrank = 8, MambaDHead = 32, FfnHidden = 128, MambaChunkSize = 16 },
        ["femto"] = new(),
        ["pico"] = new() { DModel = 256, FfnHidden = 512 },
        ["micro"] = new()
        {
            VocabSize = 8192,
            DModel = 384,
            NLayers = 12,
            RwkvHeadDim = 64,
            RwkvLowrank = 32,
            MambaDState = 64,
            MambaExpand = 2,
            AttnHeadDim = 64,
            FfnHidden = 768,
        },
    };

    public string Name => "vuaf";

    public string Title => "VUAF";

    public string Summary => "Thinks in loops, stops early";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    // The first release was called VUAF-Pico; when a larger Pico came it became VUAF-1-Femto, and old checkpoints still load.
    public IReadOnlyDictionary<string, string> SizeAliases { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["VUAF-Pico"] = "femto",
        ["VUAF-1-Femto"] = "femto",
        ["VUAF-1-Pico"] = "pico",
        ["VUAF-1-Nano"] = "nano",
        ["VUAF-1-Micro"] = "micro",
    };

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, 1 << 20),
        new("d_model", ModelFieldKind.Integer, "Model width.", 8, 1 << 14),
        new("n_layers", ModelFieldKind.Integer, "Layers of the stack.", 1, 256),
        new("loop_steps", ModelFieldKind.Integer, "How often the stack is applied, at most.", 1, 32),
        new("rwkv_head_dim", ModelFieldKind.Integer, "Width of an RWKV head; divides d_model. 8, 16, 32 and 64 have a fast kernel.", 1, 256),
        new("rwkv_lowrank", ModelFieldKind.Integer, "Rank of the decay and the in-context rate.", 1, 4096),
        new("mamba_d_state", ModelFieldKind.Integer, "State width of Mamba.", 1, 1024),
        new("mamba_d_head", ModelFieldKind.Integer, "Width of a Mamba head; divides mamba_expand times d_model.", 1, 1024),
        new("mamba_expand", ModelFieldKind.Integer, "Inner width of Mamba over d_model.", 1, 8),
        new("mamba_chunk_size", ModelFieldKind.Integer, "Steps of a chunk where the scan has no kernel.", 1, 1024),
        new("attn_head_dim", ModelFieldKind.Integer, "Width of an attention head; even, divides d_model.", 2, 1024),
        new("attn_rope_base", ModelFieldKind.Number, "Base of the rotary frequencies.", 1, 1e9),
        new("ffn_hidden", ModelFieldKind.Integer, "Width of the feed-forward network and of every expert.", 1, 1 << 18),
        new("moe_n_experts", ModelFieldKind.Integer, "Experts of a mixture layer.", 1, 256),
        new("moe_top_k", ModelFieldKind.Integer, "Experts that a token takes; at most moe_n_experts.", 1, 256),
        new("moe_lb_loss_coef", ModelFieldKind.Number, "Weight of the loss that balances experts.", 0, 10),
        new("halt_init_bias", ModelFieldKind.Number, "Where the halt head's bias starts; below 0 keeps looping.", -20, 20),
        new("entropy_reg_coef", ModelFieldKind.Number, "Weight of the pull of the halting distribution towards its prior; 0.05 or more keeps late steps alive.", 0, 10),
        new("halt_prior", ModelFieldKind.Choice, "What the halting distribution is pulled to.", Choices: ["uniform", "geometric"]),
        new("halt_prior_rate", ModelFieldKind.Number, "Chance of stopping at each step under the geometric prior.", 0.001, 0.999),
        new("halt_warm_start", ModelFieldKind.Number, "Share of the run in which every depth counts alike and the halt head rests.", 0, 1),
        new("halt_only", ModelFieldKind.Flag, "Train the halt head alone: stop where one more step gains less than 0.005."),
        new("rwkv_norm", ModelFieldKind.Choice, "Norm of RWKV heads: per token, or over the sequence as the published runtime does (it sees the future).", Choices: ["token", "sequence"]),
        new("decay_init", ModelFieldKind.Choice, "Start of the decay: w = 0.5 everywhere, or memories spread from 2 to 512 tokens.", Choices: ["runtime", "spread"]),
        new("token_mix_pattern", ModelFieldKind.ChoiceList, "Mixer over time of each layer; left out = by rule.", Choices: [VuafConfig.Rwkv, VuafConfig.Mamba, VuafConfig.Attention]),
        new("channel_mix_pattern", ModelFieldKind.ChoiceList, "Mixer over channels of each layer; left out = by rule.", Choices: [VuafConfig.SwiGlu, VuafConfig.Moe]),
        new("max_seq_len", ModelFieldKind.Integer, "Longest row.", 8, 1 << 20),
    ];

    public IReadOnlyDictionary<string, string> CaseNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layers",
        ["loops"] = "loop_steps",
        ["head_dim"] = "rwkv_head_dim",
        ["lowrank"] = "rwkv_lowrank",
        ["mamba_state"] = "mamba_d_state",
        ["mamba_head"] = "mamba_d_head",
        ["ffn"] = "ffn_hidden",
        ["experts"] = "moe_n_experts",
        ["pattern"] = "token_mix_pattern",
        ["channel"] = "channel_mix_pattern",

        // Fields of the published config that have one value.
        ["name"] = "",
        ["tie_embeddings"] = "",
        ["mamba_mode"] = "",
        ["dropout"] = "",
    };

    public IReadOnlyDictionary<string, string> CaseWords { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["rwkv"] = VuafConfig.Rwkv,
        ["mamba"] = VuafConfig.Mamba,
    };

    public RunSpec Recipe(string size) => VuafRecipe.Of(this, size);

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        if (PlanHead.Of(this, size, Presets[size], overrides, errors, (read, into) => Check(read, overrides, into)) is not var (config, head))
        {
            return null;
        }

        config = config with
        {
            TokenMixPattern = config.TokenMixPattern is { Count: > 0 } mixers ? mixers : VuafConfig.TokenMixers(config.NLayers),
            ChannelMixPattern = config.ChannelMixPattern is { Count: > 0 } channels ? channels : VuafConfig.ChannelMixers(config.NLayers),
        };
        head.Config["token_mix_pattern"] = JsonSerializer.SerializeToNode(config.TokenMixPattern, Json.Wire);
        head.Config["channel_mix_pattern"] = JsonSerializer.SerializeToNode(config.ChannelMixPattern, Json.Wire);
        return new VuafPlan(config) { Head = head };
    }

    private static void Check(VuafConfig c, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors)
    {
        Divides("rwkv_head_dim", c.RwkvHeadDim, "d_model", c.DModel, errors);
        Divides("attn_head_dim", c.AttnHeadDim, "d_model", c.DModel, errors);
        Divides("mamba_d_head", c.MambaDHead, "mamba_expand times d_model", c.MambaExpand * c.DModel, errors);
        Fits("token_mix_pattern", c.TokenMixPattern.Count, overrides, c.NLayers, errors);
        Fits("channel_mix_pattern", c.ChannelMixPattern.Count, overrides, c.NLayers, errors);
        if (c.AttnHeadDim % 2 != 0)
        {
            errors.Add(Error("attn_head_dim", $"{c.AttnHeadDim}", "an even width", "rotary positions turn pairs"));
        }

        if (c.MoeTopK > c.MoeNExperts)
        {
            errors.Add(Error("moe_top_k", $"{c.MoeTopK}", $"1 to {c.MoeNExperts}", $"model.moe_n_experts is {c.MoeNExperts}"));
        }

        if (c.TokenMixPattern.Count == 0 && c.NLayers % 2 != 0)
        {
            errors.Add(Error("n_layers", $"{c.NLayers}", "an even number, or any with a token_mix_pattern", "the rule alternates two kinds of layer"));
        }

        if (c.HaltOnly && c.LoopSteps < 2)
        {
            errors.Add(Error("loop_steps", $"{c.LoopSteps}", "at least 2 with halt_only", "one step has no halt head to train"));
        }
    }

    private static void Fits(string field, int entries, IReadOnlyDictionary<string, JsonElement> overrides, int layers, IList<FieldError> errors)
    {
        if (overrides.ContainsKey(field) && entries != layers)
        {
            errors.Add(Error(field, $"{entries} entries", $"{layers} entries", $"model.n_layers is {layers}"));
        }
    }

    private static void Divides(string small, int divisor, string large, int whole, IList<FieldError> errors)
    {
        if (whole % divisor != 0)
        {
            errors.Add(Error(small, $"{divisor}", $"a divisor of {whole}", $"{large} is {whole}"));
        }
    }

    private static FieldError Error(string field, string value, string allowed, string why) =>
        new($"model.{field}", value, allowed, $"model.{field} is {value}; {why}. Allowed: {allowed}.");
}
