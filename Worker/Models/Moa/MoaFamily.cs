using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models.Moa;

/// <summary>MoA-Metric: four paths per block blended per token, attention by distance (docs/families/moa.md).</summary>
public sealed class MoaFamily : IFamily
{
    private static readonly Dictionary<string, MoaConfig> Presets = new(StringComparer.Ordinal)
    {
        ["nano"] = new()
        {
            VocabSize = 512,
            Dim = 64,
            NumLayers = 2,
            AttnHeads = 4,
            MqaQHeads = 4,
            FfnHidden = 192,
            MixerHidden = 96,
            VprojHidden = 32,
            RouterHidden = 16,
            LrRank = 8,
            RBasis = 4,
            MaxPositionEmbeddings = 256,
        },
        ["150m"] = new(),
        ["400m"] = new()
        {
            Dim = 1024,
            NumLayers = 14,
            AttnHeads = 16,
            MqaQHeads = 16,
            FfnHidden = 3072,
            MixerHidden = 1536,
            VprojHidden = 480,
            LayerScaleInit = 0.19,
        },
    };

    public string Name => "moa";

    public string Title => "MoA-Metric";

    public string Summary => "Attends by distance, blends four paths per token";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, 1 << 20),
        new("dim", ModelFieldKind.Integer, "Model width.", 2, 1 << 16),
        new("num_layers", ModelFieldKind.Integer, "Blocks.", 1, 512),
        new("attn_heads", ModelFieldKind.Integer, "Heads of metric attention; divides dim.", 1, 512),
        new("mqa_q_heads", ModelFieldKind.Integer, "Query heads of the path with one shared key; equals attn_heads.", 1, 512),
        new("ffn_hidden", ModelFieldKind.Integer, "Width of the feed-forward network's SwiGLU.", 1, 1 << 18),
        new("mixer_hidden", ModelFieldKind.Integer, "Width of the channel mixer.", 1, 1 << 18),
        new("vproj_hidden", ModelFieldKind.Integer, "Width of the gated projector after attention.", 1, 1 << 18),
        new("router_hidden", ModelFieldKind.Integer, "Width of the path router.", 1, 1 << 16),
        new("lr_rank", ModelFieldKind.Integer, "Rank of the feed-forward network's low-rank branch.", 1, 1 << 16),
        new("r_basis", ModelFieldKind.Integer, "Fourier terms of frequencies and energies.", 1, 1 << 10),
        new("conv_kernel", ModelFieldKind.Integer, "Taps of both causal convolutions.", 1, 64),
        new("metric", ModelFieldKind.Choice, "What a score measures.", Choices: [MoaConfig.L2, MoaConfig.Cosine, MoaConfig.MahaDiag]),
        new("alpha_init", ModelFieldKind.Number, "Starting sharpness of the scores.", 1e-3, 100),
        new("maha_init", ModelFieldKind.Number, "Starting scale of every dimension of maha_diag.", 1e-3, 1000),
        new("origin_init", ModelFieldKind.Number, "Starting centre of a ball, in every dimension.", -1000, 1000),
        new("radius_init", ModelFieldKind.Number, "Starting radius of a ball, times √(head width / 8).", 1e-3, 1000),
        new("energy_min", ModelFieldKind.Number, "Least gain of a value.", 0, 0.999),
        new("energy_max", ModelFieldKind.Number, "Greatest gain of a value.", 1.001, 100),
        new("theta_base", ModelFieldKind.Number, "Base of the rotary frequencies.", 1, 1e9),
        new("router_temperature", ModelFieldKind.Number, "Softness of the path router.", 1e-3, 1000),
        new("router_topk", ModelFieldKind.Integer, "Paths kept per token: 2, or 0 for all.", 0, 2),
        new("router_soft_steps", ModelFieldKind.Integer, "Steps of training before only two paths are kept.", 0, 1 << 30),
        new("use_balls", ModelFieldKind.Flag, "Keys outside a learned ball are not attended to."),
        new("discrepancy_modulation", ModelFieldKind.Flag, "A change of input moves the gain of values."),
        new("layer_scale_init", ModelFieldKind.Number, "Starting scale of both residual branches.", 0, 10),
        new("ti_weight", ModelFieldKind.Number, "Weight of the triangle-inequality term; 0 only measures it.", 0, 100),
        new("ti_samples", ModelFieldKind.Integer, "Triples of positions per row and layer.", 1, 1 << 16),
        new("ti_ramp_steps", ModelFieldKind.Integer, "Steps over which that weight rises; 0 starts in full.", 0, 1 << 30),
        new("router_balance", ModelFieldKind.Number, "Weight of the router's balance term.", 0, 100),
        new("attn_dropout", ModelFieldKind.Number, "Share of attention weights dropped in training.", 0, 0.9),
        new("proj_dropout", ModelFieldKind.Number, "Share of attention outputs dropped in training.", 0, 0.9),
        new("freq_lr_mult", ModelFieldKind.Number, "Factor on the learning rate of the rotary frequencies.", 0, 10),
        new("max_position_embeddings", ModelFieldKind.Integer, "Longest row.", 8, 1 << 20),
    ];

    public IReadOnlyDictionary<string, string> CaseNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "dim",
        ["layers"] = "num_layers",
        ["heads"] = "attn_heads",
        ["mqa_heads"] = "mqa_q_heads",
    };

    // Advice for runs, not part of the model that cases describe.
    public IReadOnlyDictionary<string, JsonElement> CaseDefaults { get; } = new Dictionary<string, JsonElement>(StringComparer.Ordinal)
    {
        ["freq_lr_mult"] = JsonSerializer.SerializeToElement(1),
        ["router_soft_steps"] = JsonSerializer.SerializeToElement(0),
    };

    public RunSpec Recipe(string size) => MoaRecipe.Of(this, size);

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors) =>
        PlanHead.Of(this, size, Presets[size], overrides, errors, Check) is var (config, head) ? new MoaPlan(config) { Head = head } : null;

    private static void Check(MoaConfig c, IList<FieldError> errors)
    {
        if (c.Dim % c.AttnHeads != 0)
        {
            errors.Add(new FieldError("model.attn_heads", $"{c.AttnHeads}", $"a divisor of {c.Dim}", $"model.attn_heads {c.AttnHeads} does not divide model.dim {c.Dim}."));
        }
        else if (c.HeadDim % 2 != 0)
        {
            errors.Add(new FieldError("model.attn_heads", $"{c.AttnHeads}", "an even head width", $"model.dim {c.Dim} over model.attn_heads {c.AttnHeads} is an odd head width; rotary positions need an even one."));
        }

        if (c.MqaQHeads != c.AttnHeads)
        {
            errors.Add(new FieldError("model.mqa_q_heads", $"{c.MqaQHeads}", $"{c.AttnHeads}", $"model.mqa_q_heads is {c.MqaQHeads}. Allowed: {c.AttnHeads}, the value of model.attn_heads."));
        }

        if (c.RouterTopk == 1)
        {
            errors.Add(new FieldError("model.router_topk", "1", "0, 2", "model.router_topk is 1. Allowed: 0, 2."));
        }
    }
}
