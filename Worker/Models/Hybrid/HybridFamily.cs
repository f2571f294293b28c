using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models.Hybrid;

/// <summary>Hybrid: token-shift layers, a few short-window attention layers, and a 16 MB artifact (docs/families/hybrid.md).</summary>
public sealed class HybridFamily : IFamily
{
    // 36313 · id stays below 2³¹ up to this vocabulary, so the hash of the original's int32 is ours in int64.
    private const int LargestVocabulary = 59_139;
    private static readonly Dictionary<string, HybridConfig> Presets = new(StringComparer.Ordinal)
    {
        ["nano"] = new()
        {
            VocabSize = 256,
            DModel = 64,
            NLayer = 5,
            NHead = 4,
            NKvHead = 2,
            AttnLayers = [2, 4],
            Window = 8,
            RopeDims = 8,
            BigramVocab = 128,
            BigramDim = 16,
            VeDim = 16,
            VeLayers = [3, 4],
            XsaLastN = 2,
            QuantMinElems = 1024,
            MaxSeqLen = 256,
        },
        ["16mb"] = new(),
    };

    public string Name => "hybrid";

    public string Title => "Hybrid";

    public string Summary => "Fits in 16 MB";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, LargestVocabulary),
        new("d_model", ModelFieldKind.Integer, "Model width.", 2, 1 << 16),
        new("n_layer", ModelFieldKind.Integer, "Layers.", 1, 512),
        new("n_head", ModelFieldKind.Integer, "Query heads; divides d_model.", 1, 512),
        new("n_kv_head", ModelFieldKind.Integer, "Key and value heads; divides n_head.", 1, 512),
        new("attn_layers", ModelFieldKind.IntegerList, "Layers with attention, from 0; the others shift by a token.", 0, 511),
        new("window", ModelFieldKind.Integer, "Keys before its own that a row sees, but in the last attention layer.", 1, 1 << 20),
        new("rope_dims", ModelFieldKind.Integer, "Dimensions of a head that are turned; even.", 2, 1 << 12),
        new("rope_theta", ModelFieldKind.Number, "Base of the rotary frequencies.", 1, 1e9),
        new("norm_eps", ModelFieldKind.Number, "Added to the mean square.", 1e-12, 1),
        new("mlp_mult", ModelFieldKind.Integer, "Width of the feed-forward network over d_model.", 1, 64),
        new("mlp_slope", ModelFieldKind.Number, "Slope of the leaky unit below 0.", 0, 1),
        new("bigram_vocab", ModelFieldKind.Integer, "Rows of the table of token pairs.", 2, 1 << 24),
        new("bigram_dim", ModelFieldKind.Integer, "Width of the table of token pairs.", 1, 1 << 16),
        new("ve_dim", ModelFieldKind.Integer, "Width of the value embedding.", 1, 1 << 16),
        new("ve_layers", ModelFieldKind.IntegerList, "Layers with a scale for the value embedding, from 0.", 0, 511),
        new("xsa_last_n", ModelFieldKind.Integer, "Attention in so many last layers drops its own value's direction.", 0, 512),
        new("logit_softcap", ModelFieldKind.Number, "Bound of the logits; 0 is off.", 0, 1e6),
        new("qk_gain_init", ModelFieldKind.Number, "First gain of the queries.", 0, 1e3),
        new("quant_min_elems", ModelFieldKind.Integer, "Tensors with more elements are stored in 6 bits.", 0, int.MaxValue),
        new("quant_kappa", ModelFieldKind.Number, "Factor on the grid step of quantised training.", 1, 8),
        new("max_seq_len", ModelFieldKind.Integer, "Longest row.", 8, 1 << 20),
    ];

    public IReadOnlyDictionary<string, string> CaseNames { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layer",
        ["heads"] = "n_head",
        ["kv"] = "n_kv_head",
        ["slope"] = "mlp_slope",
        ["rope_base"] = "rope_theta",
        ["eps"] = "norm_eps",

        // Of training rows; what is decoded may be longer.
        ["seq_len"] = "",
    };

    public RunSpec Recipe(string size) => HybridRecipe.Of(this, size);

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors) =>
        PlanHead.Of(this, size, Presets[size], overrides, errors, Check) is var (config, head) ? new HybridPlan(config) { Head = head } : null;

    private static void Check(HybridConfig c, IList<FieldError> errors)
    {
        ModelField.Divides(c.NHead, c.DModel, "n_head", "d_model", errors);
        ModelField.Divides(c.NKvHead, c.NHead, "n_kv_head", "n_head", errors);
        if (c.RopeDims % 2 != 0 || c.RopeDims > c.HeadDim)
        {
            errors.Add(new FieldError("model.rope_dims", $"{c.RopeDims}", $"even, at most {c.HeadDim}", $"model.rope_dims is {c.RopeDims}. Allowed: even, at most the head width {c.HeadDim}."));
        }

        foreach (var (name, layers) in new[] { ("attn_layers", c.AttnLayers), ("ve_layers", c.VeLayers) })
        {
            if (layers.Any(i => i >= c.NLayer) || layers.Distinct().Count() < layers.Count)
            {
                string shown = string.Join(", ", layers);
                errors.Add(new FieldError($"model.{name}", shown, $"0 to {c.NLayer - 1}, each once", $"model.{name} is {shown}. Allowed: 0 to {c.NLayer - 1}, each once."));
            }
        }

        if (c.AttnLayers.Count == 0)
        {
            errors.Add(new FieldError("model.attn_layers", "", "at least one layer", "model.attn_layers is empty. Allowed: at least one layer."));
        }
    }
}
