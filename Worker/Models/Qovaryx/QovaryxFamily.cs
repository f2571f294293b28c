using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models.Qovaryx;

/// <summary>Qovaryx: grouped-query decoder with four kinds of feed-forward network, multi-token prediction and optional heads (docs/families/qovaryx.md).</summary>
public sealed class QovaryxFamily : IFamily
{
    private static readonly Dictionary<string, QovaryxConfig> Presets = new(StringComparer.Ordinal)
    {
        ["nano"] = new() { VocabSize = 512, DModel = 64, NLayer = 2, NHead = 4, NKvHead = 1, DFf = 176, FfnRank = 16, MaxSeqLen = 256 },
        ["50m"] = new(),
        ["350m"] = new() { DModel = 1024, NLayer = 24, NHead = 16, NKvHead = 4, DFf = 2816, TieEmbeddings = false, MtpKind = "block" },
        ["1b"] = new() { DModel = 2048, NLayer = 22, NHead = 16, NKvHead = 4, DFf = 5504 },
    };

    public string Name => "qovaryx";

    public string Title => "Qovaryx";

    public string Summary => "Predicts 4 tokens ahead";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, 1 << 20),
        new("d_model", ModelFieldKind.Integer, "Model width.", 2, 1 << 16),
        new("n_layer", ModelFieldKind.Integer, "Layers.", 1, 512),
        new("n_head", ModelFieldKind.Integer, "Query heads; divides d_model.", 1, 512),
        new("n_kv_head", ModelFieldKind.Integer, "Key and value heads; divides n_head.", 1, 512),
        new("d_ff", ModelFieldKind.Integer, "Width of the feed-forward network.", 1, 1 << 18),
        new("ffn_kind", ModelFieldKind.Choice, "Feed-forward network.", Choices: ["swiglu", "ternary_swiglu", "lowrank_swiglu", "routed_lowrank_swiglu"]),
        new("ffn_rank", ModelFieldKind.Integer, "Rank of the low-rank kinds.", 1, 1 << 16),
        new("ffn_experts", ModelFieldKind.Integer, "Experts of the routed kind.", 1, 1024),
        new("ffn_top_k", ModelFieldKind.Integer, "Experts a token goes to; at most ffn_experts.", 1, 1024),
        new("act_quant", ModelFieldKind.Flag, "8-bit inputs of the ternary kind."),
        new("capacity_factor", ModelFieldKind.Number, "Limit on an expert's share in training, 1 = even; 0 is off.", 0, 1024),
        new("lb_weight", ModelFieldKind.Number, "Weight of the experts' balance.", 0, 10),
        new("router_z_weight", ModelFieldKind.Number, "Weight of the router's squared logsumexp.", 0, 10),
        new("tie_embeddings", ModelFieldKind.Flag, "One matrix for embedding and head."),
        new("mtp_k", ModelFieldKind.Integer, "Tokens predicted per position.", 1, 16),
        new("mtp_kind", ModelFieldKind.Choice, "What a further-token module is made of.", Choices: ["res", "block"]),
        new("mtp_weight", ModelFieldKind.Number, "Weight of the further tokens' loss.", 0, 10),
        new("decision_head_enabled", ModelFieldKind.Flag, "A head of 4 classes at one token of a row."),
        new("decision_weight", ModelFieldKind.Number, "Weight of its cross entropy.", 0, 10),
        new("class_weighted_decision", ModelFieldKind.Flag, "Count rows by how rare their class is."),
        new("calibration_loss_weight", ModelFieldKind.Number, "Weight of its Brier score.", 0, 10),
        new("chart_patch_encoder_enabled", ModelFieldKind.Flag, "Images as tokens before the text."),
        new("qk_norm", ModelFieldKind.Flag, "Normalise queries and keys."),
        new("rope_theta", ModelFieldKind.Number, "Base of the rotary frequencies.", 1, 1e9),
        new("norm_eps", ModelFieldKind.Number, "Added to the mean square.", 1e-12, 1),
        new("max_seq_len", ModelFieldKind.Integer, "Longest row.", 8, 1 << 20),
    ];

    public IReadOnlyDictionary<string, string> CaseNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layer",
        ["heads"] = "n_head",
        ["kv"] = "n_kv_head",
        ["ff"] = "d_ff",
        ["tie"] = "tie_embeddings",

        ["rank"] = "ffn_rank",
        ["experts"] = "ffn_experts",
        ["top_k"] = "ffn_top_k",
        ["decision_head"] = "decision_head_enabled",
        ["chart_encoder"] = "chart_patch_encoder_enabled",

        // Fixed here.
        ["classes"] = "",
        ["chart_c1"] = "",
    };

    public IReadOnlyDictionary<string, JsonElement> CaseDefaults { get; } = Values(("class_weighted_decision", true));

    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, JsonElement>> CaseVariants { get; } =
        new Dictionary<string, IReadOnlyDictionary<string, JsonElement>>(StringComparer.Ordinal)
        {
            ["noquant"] = Values(("act_quant", false)),
            ["capacity"] = Values(("capacity_factor", 1.0)),
        };

    public RunSpec Recipe(string size) => QovaryxRecipe.Of(this, size);

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors) =>
        PlanHead.Of(this, size, Presets[size], overrides, errors, Check) is var (config, head) ? new QovaryxPlan(config) { Head = head } : null;

    private static void Check(QovaryxConfig config, IList<FieldError> errors)
    {
        ModelField.Divides(config.NHead, config.DModel, "n_head", "d_model", errors);
        ModelField.Divides(config.NKvHead, config.NHead, "n_kv_head", "n_head", errors);
        if (config.FfnTopK > config.FfnExperts)
        {
            errors.Add(new FieldError("model.ffn_top_k", $"{config.FfnTopK}", $"1 to {config.FfnExperts}", $"model.ffn_top_k {config.FfnTopK} is over model.ffn_experts {config.FfnExperts}. Allowed: 1 to {config.FfnExperts}."));
        }

        if (config.DModel / config.NHead % 2 != 0)
        {
            errors.Add(new FieldError("model.n_head", $"{config.NHead}", "an even head width", $"model.d_model {config.DModel} over model.n_head {config.NHead} is an odd head width; rotary positions need an even one."));
        }
    }

    private static Dictionary<string, JsonElement> Values(params (string Name, object Value)[] fields) =>
        fields.ToDictionary(f => f.Name, f => JsonSerializer.SerializeToElement(f.Value), StringComparer.Ordinal);
}
