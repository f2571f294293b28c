using Hearth.Runs;

namespace Hearth.Models.Positronic;

/// <summary>Positronic: rings of coupled phase oscillators in place of the feed-forward network (docs/families/positronic.md).</summary>
public sealed class PositronicFamily() : Family<PositronicConfig>("positronic", "Positronic", "Rings of coupled oscillators with a memory written while reading")
{
    protected override OrderedDictionary<string, PositronicConfig> Presets { get; } = new(StringComparer.Ordinal)
    {
        ["nano"] = new()
        {
            VocabSize = 512, DModel = 64, NLayer = 2, NHead = 4, NKvHead = 2, HeadDim = 16, QRank = 32, ORank = 32, Rings = [2, 4, 8],
            PhaseDim = 16, PhaseHeads = 2, EngramTable = 64, EngramDim = 8, SpecPerRing = 3, SpecDim = 8, MemChunk = 16, HrmDim = 32,
            MoeHidden = 64, JepaDim = 32, MaxSeqLen = 256,
        },
        ["144m"] = new(),
    };

    public override RunSpec Recipe(string size) => PositronicRecipe.Of(this, size);

    protected override ModelPlan Plan(PositronicConfig config, PlanHead head) => new PositronicPlan(config) { Head = head };

    protected override void Check(PositronicConfig c, IList<FieldError> errors)
    {
        Divides(("n_kv_head", c.NKvHead), ("n_head", c.NHead), errors);
        Divides(("phase_heads", c.PhaseHeads), ("phase_dim", c.PhaseDim), errors);
        AtMost(c.SpecTopK, c.SpecPerRing, "spec_top_k", "spec_per_ring", errors);
        AtMost(c.MoeTopK, c.MoeExperts, "moe_top_k", "moe_experts", errors);
        if (c.HeadDim % 4 != 0)
        {
            Refuse("head_dim", $"{c.HeadDim}", "a multiple of 4", $"model.head_dim is {c.HeadDim}. Allowed: a multiple of 4, since half of it is turned in pairs.", errors);
        }

        if ((c.EngramTable & (c.EngramTable - 1)) != 0)
        {
            Refuse("engram_table", $"{c.EngramTable}", "a power of two", $"model.engram_table is {c.EngramTable}. Allowed: a power of two, since a hash is a row of bits.", errors);
        }

        if (c.Rings.Count == 0 || c.Oscillators > PositronicConfig.MostOscillators)
        {
            string rings = string.Join(", ", c.Rings), allowed = $"one ring or more, at most {Words.Number(PositronicConfig.MostOscillators)} oscillators in all";
            Refuse("rings", rings, allowed, $"model.rings [{rings}] makes {Words.Number(c.Oscillators)} oscillators. Allowed: {allowed}.", errors);
        }
    }

    private static void AtMost(int part, int whole, string small, string large, IList<FieldError> errors)
    {
        if (part > whole)
        {
            Refuse(small, $"{part}", $"1 to {whole}", $"model.{small} is {part}. Allowed: 1 to model.{large}, {whole}.", errors);
        }
    }
}
