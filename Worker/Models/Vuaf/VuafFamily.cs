using Hearth.Runs;

namespace Hearth.Models.Vuaf;

/// <summary>VUAF: RWKV-7, Mamba-2 and one attention layer in a stack that is applied R times and may stop early (docs/families/vuaf.md).</summary>
public sealed class VuafFamily() : Family<VuafConfig>("vuaf", "VUAF", "Thinks in loops, stops early")
{
    protected override OrderedDictionary<string, VuafConfig> Presets { get; } = new(StringComparer.Ordinal)
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

    // The first release was called VUAF-Pico; when a larger Pico came it became VUAF-1-Femto, and old checkpoints still load.
    public override IReadOnlyDictionary<string, string> SizeAliases { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["VUAF-Pico"] = "femto",
        ["VUAF-1-Femto"] = "femto",
        ["VUAF-1-Pico"] = "pico",
        ["VUAF-1-Nano"] = "nano",
        ["VUAF-1-Micro"] = "micro",
    };

    public override RunSpec Recipe(string size) => VuafRecipe.Of(this, size);

    protected override ModelPlan Plan(VuafConfig config, PlanHead head) => new VuafPlan(config) { Head = head };

    protected override VuafConfig Complete(VuafConfig config) => config.WithPatterns();

    protected override void Check(VuafConfig c, IList<FieldError> errors)
    {
        Divides("rwkv_head_dim", c.RwkvHeadDim, "d_model", c.DModel, errors);
        Divides("attn_head_dim", c.AttnHeadDim, "d_model", c.DModel, errors);
        Divides("mamba_d_head", c.MambaDHead, "mamba_expand times d_model", c.MambaExpand * c.DModel, errors);
        Fits("token_mix_pattern", c.TokenMixPattern, c.NLayers, errors);
        Fits("channel_mix_pattern", c.ChannelMixPattern, c.NLayers, errors);
        if (c.AttnHeadDim % 2 != 0)
        {
            Wrong("attn_head_dim", $"{c.AttnHeadDim}", "an even width", "rotary positions turn pairs", errors);
        }

        if (c.MoeTopK > c.MoeNExperts)
        {
            Wrong("moe_top_k", $"{c.MoeTopK}", $"1 to {c.MoeNExperts}", $"model.moe_n_experts is {c.MoeNExperts}", errors);
        }

        if (c.TokenMixPattern is null && c.NLayers % 2 != 0)
        {
            Wrong("n_layers", $"{c.NLayers}", "an even number, or any with a token_mix_pattern", "the rule alternates two kinds of layer", errors);
        }

        if (c.HaltOnly && c.LoopSteps < 2)
        {
            Wrong("loop_steps", $"{c.LoopSteps}", "at least 2 with halt_only", "one step has no halt head to train", errors);
        }
    }

    private static void Fits(string field, IReadOnlyList<string>? pattern, int layers, IList<FieldError> errors)
    {
        if (pattern is not null && pattern.Count != layers)
        {
            Wrong(field, $"{pattern.Count} entries", $"{layers} entries", $"model.n_layers is {layers}", errors);
        }
    }

    private static void Divides(string small, int divisor, string large, int whole, IList<FieldError> errors)
    {
        if (whole % divisor != 0)
        {
            Wrong(small, $"{divisor}", $"a divisor of {whole}", $"{large} is {whole}", errors);
        }
    }

    private static void Wrong(string field, string value, string allowed, string why, IList<FieldError> errors) =>
        Refuse(field, value, allowed, $"model.{field} is {value}; {why}. Allowed: {allowed}.", errors);
}
