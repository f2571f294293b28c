using Hearth.Runs;

namespace Hearth.Models.Hybrid;

/// <summary>Hybrid: token-shift layers, a few short-window attention layers, and a 16 MB artifact (docs/families/hybrid.md).</summary>
public sealed class HybridFamily() : Family<HybridConfig>("hybrid", "Hybrid", "Fits in 16 MB")
{
    protected override OrderedDictionary<string, HybridConfig> Presets { get; } = new(StringComparer.Ordinal)
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

    public override RunSpec Recipe(string size) => HybridRecipe.Of(this, size);

    protected override ModelPlan Plan(HybridConfig config, PlanHead head) => new HybridPlan(config) { Head = head };

    protected override void Check(HybridConfig c, IList<FieldError> errors)
    {
        Divides(("n_head", c.NHead), ("d_model", c.DModel), errors);
        Divides(("n_kv_head", c.NKvHead), ("n_head", c.NHead), errors);
        if (c.RopeDims % 2 != 0 || c.RopeDims > c.HeadDim)
        {
            Refuse("rope_dims", $"{c.RopeDims}", $"even, at most {c.HeadDim}", $"model.rope_dims is {c.RopeDims}. Allowed: even, at most the head width {c.HeadDim}.", errors);
        }

        foreach (var (name, layers) in new[] { ("attn_layers", c.AttnLayers), ("ve_layers", c.VeLayers) })
        {
            if (layers.Any(i => i >= c.NLayer) || layers.Distinct().Count() < layers.Count)
            {
                string shown = string.Join(", ", layers);
                Refuse(name, shown, $"0 to {c.NLayer - 1}, each once", $"model.{name} is {shown}. Allowed: 0 to {c.NLayer - 1}, each once.", errors);
            }
        }

        if (c.AttnLayers.Count == 0)
        {
            Refuse("attn_layers", "", "at least one layer", "model.attn_layers is empty. Allowed: at least one layer.", errors);
        }
    }
}
