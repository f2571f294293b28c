using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models.Positronic;

/// <summary>Positronic: rings of coupled phase oscillators in place of the feed-forward network (docs/families/positronic.md).</summary>
public sealed class PositronicFamily : IFamily
{
    private const int MostOscillators = 1 << 16;

    private static readonly Dictionary<string, PositronicConfig> Presets = new(StringComparer.Ordinal)
    {
        ["nano"] = new()
        {
            VocabSize = 512, DModel = 64, NLayer = 2, NHead = 4, NKvHead = 2, HeadDim = 16, QRank = 32, ORank = 32, Rings = [2, 4, 8],
            PhaseDim = 16, PhaseHeads = 2, EngramTable = 64, EngramDim = 8, SpecPerRing = 3, SpecDim = 8, MemChunk = 16, HrmDim = 32,
            MoeHidden = 64, JepaDim = 32, MaxSeqLen = 256,
        },
        ["144m"] = new(),
    };

    public string Name => "positronic";

    public string Title => "Positronic";

    public string Summary => "Rings of coupled oscillators with a memory written while reading";

    public IReadOnlyList<string> Sizes { get; } = [.. Presets.Keys];

    public IReadOnlyList<ModelField> Fields { get; } =
    [
        new("vocab_size", ModelFieldKind.Integer, "Tokens of the vocabulary.", 2, 1 << 20),
        new("d_model", ModelFieldKind.Integer, "Model width.", 2, 1 << 16),
        new("n_layer", ModelFieldKind.Integer, "Layers.", 1, 512),
        new("n_head", ModelFieldKind.Integer, "Query heads.", 1, 512),
        new("n_kv_head", ModelFieldKind.Integer, "Key and value heads; divides n_head.", 1, 512),
        new("head_dim", ModelFieldKind.Integer, "Width of a head, a multiple of 4; half of it carries positions.", 4, 1 << 12),
        new("q_rank", ModelFieldKind.Integer, "Rank of the query projection.", 1, 1 << 16),
        new("o_rank", ModelFieldKind.Integer, "Rank of the output projection.", 1, 1 << 16),
        new("rings", ModelFieldKind.IntegerList, "Oscillators of each ring, inner ring first.", 1, MostOscillators),
        new("osc_steps", ModelFieldKind.Integer, "Euler steps of the oscillators.", 1, 64),
        new("osc_dt", ModelFieldKind.Number, "Length of an Euler step.", 1e-3, 2),
        new("read_mult", ModelFieldKind.Integer, "Width of the read-out over that of the phases.", 1, 16),
        new("phase_dim", ModelFieldKind.Integer, "Width of attention between phases.", 1, 1 << 14),
        new("phase_heads", ModelFieldKind.Integer, "Its heads; divides phase_dim.", 1, 512),
        new("engram_orders", ModelFieldKind.Integer, "Longest window of tokens that is hashed.", 1, 8),
        new("engram_heads", ModelFieldKind.Integer, "Hashes per window length.", 1, 8),
        new("engram_table", ModelFieldKind.Integer, "Rows of a hash table, a power of two.", 2, 1 << 20),
        new("engram_dim", ModelFieldKind.Integer, "Width of a hash table's row.", 1, 1 << 12),
        new("spec_per_ring", ModelFieldKind.Integer, "Memory specialists of a ring.", 1, 256),
        new("spec_dim", ModelFieldKind.Integer, "Width of a specialist's memory.", 1, 1 << 12),
        new("spec_top_k", ModelFieldKind.Integer, "Specialists that a token reads and writes.", 1, 256),
        new("mem_chunk", ModelFieldKind.Integer, "Positions between two writes of the memory.", 1, 1 << 20),
        new("hrm_dim", ModelFieldKind.Integer, "Inner width of the refinement after the layers.", 1, 1 << 16),
        new("hrm_steps", ModelFieldKind.Integer, "Steps of the refinement.", 1, 64),
        new("moe_experts", ModelFieldKind.Integer, "Routed experts beside the shared one.", 1, 256),
        new("moe_top_k", ModelFieldKind.Integer, "Experts of a token.", 1, 256),
        new("moe_hidden", ModelFieldKind.Integer, "Width of an expert.", 1, 1 << 18),
        new("mtp_heads", ModelFieldKind.Integer, "Tokens predicted beyond the next.", 1, 16),
        new("jepa_dim", ModelFieldKind.Integer, "Inner width of the predictor of later states.", 1, 1 << 16),
        new("jepa_horizon", ModelFieldKind.Integer, "Tokens that it looks ahead.", 1, 64),
        new("z_weight", ModelFieldKind.Number, "Weight of the squared log-normaliser.", 0, 10),
        new("mtp_weight", ModelFieldKind.Number, "Weight of the further tokens' loss; a third of it in the last 30 % of a run.", 0, 10),
        new("jepa_weight", ModelFieldKind.Number, "Weight of the later states' loss.", 0, 10),
        new("balance_weight", ModelFieldKind.Number, "Weight of the experts' balance.", 0, 10),
        new("use_rings", ModelFieldKind.Flag, "Context between rings: phase attention and hashed windows."),
        new("use_ring_controllers", ModelFieldKind.Flag, "Controllers that tune their ring while it turns."),
        new("use_ring_specialists", ModelFieldKind.Flag, "Memory written while reading."),
        new("use_hrm", ModelFieldKind.Flag, "Refinement after the layers."),
        new("use_moe", ModelFieldKind.Flag, "Mixture of experts after the layers."),
        new("use_mtp", ModelFieldKind.Flag, "Heads for further tokens; they draft when decoding."),
        new("use_jepa", ModelFieldKind.Flag, "Loss on later states, in training only."),
        new("use_fractal_phase_seed", ModelFieldKind.Flag, "Phases seeded by each token's Mandelbrot orbit."),
        new("use_derf", ModelFieldKind.Flag, "Attention by error functions instead of softmax."),
        new("use_xsa", ModelFieldKind.Flag, "Remove a token's own value from what it attends to."),
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
        ["w_z"] = "z_weight",
        ["w_mtp"] = "mtp_weight",
        ["w_jepa"] = "jepa_weight",
        ["w_lb"] = "balance_weight",
        ["max_position"] = "max_seq_len",

        // A controller's 8 inputs and 4 outputs follow from what it does; the usual row length belongs to a run.
        ["ctl_feat"] = "",
        ["ctl_out"] = "",
        ["block_size"] = "",
    };

    public RunSpec Recipe(string size) => PositronicRecipe.Of(this, size);

    public ModelPlan? Plan(string size, IReadOnlyDictionary<string, JsonElement> overrides, IList<FieldError> errors) =>
        PlanHead.Of(this, size, Presets[size], overrides, errors, Check) is var (config, head) ? new PositronicPlan(config) { Head = head } : null;

    private static void Check(PositronicConfig c, IList<FieldError> errors)
    {
        ModelField.Divides(c.NKvHead, c.NHead, "n_kv_head", "n_head", errors);
        ModelField.Divides(c.PhaseHeads, c.PhaseDim, "phase_heads", "phase_dim", errors);
        AtMost(c.SpecTopK, c.SpecPerRing, "spec_top_k", "spec_per_ring", errors);
        AtMost(c.MoeTopK, c.MoeExperts, "moe_top_k", "moe_experts", errors);
        if (c.HeadDim % 4 != 0)
        {
            errors.Add(new FieldError("model.head_dim", $"{c.HeadDim}", "a multiple of 4", $"model.head_dim is {c.HeadDim}. Allowed: a multiple of 4, since half of it is turned in pairs."));
        }

        if ((c.EngramTable & (c.EngramTable - 1)) != 0)
        {
            errors.Add(new FieldError("model.engram_table", $"{c.EngramTable}", "a power of two", $"model.engram_table is {c.EngramTable}. Allowed: a power of two, since a hash is a row of bits."));
        }

        if (c.Rings.Count == 0 || c.Oscillators > MostOscillators)
        {
            string rings = string.Join(", ", c.Rings), allowed = $"one ring or more, at most {Words.Number(MostOscillators)} oscillators in all";
            errors.Add(new FieldError("model.rings", rings, allowed, $"model.rings [{rings}] makes {Words.Number(c.Oscillators)} oscillators. Allowed: {allowed}."));
        }
    }

    private static void AtMost(int part, int whole, string small, string large, IList<FieldError> errors)
    {
        if (part > whole)
        {
            errors.Add(new FieldError($"model.{small}", $"{part}", $"1 to {whole}", $"model.{small} is {part}. Allowed: 1 to model.{large}, {whole}."));
        }
    }
}
