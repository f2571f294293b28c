using Hearth.Runs;

namespace Hearth.Models.Moa;

/// <summary>MoA-Metric: four paths per block blended per token, attention by distance (docs/families/moa.md).</summary>
public sealed class MoaFamily() : Family<MoaConfig>("moa", "MoA-Metric", "Attends by distance, blends four paths per token")
{
    protected override OrderedDictionary<string, MoaConfig> Presets { get; } = new(StringComparer.Ordinal)
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

    public override RunSpec Recipe(string size) => MoaRecipe.Of(this, size);

    protected override ModelPlan Plan(MoaConfig config, PlanHead head) => new MoaPlan(config) { Head = head };

    protected override void Check(MoaConfig c, IList<FieldError> errors)
    {
        if (c.Dim % c.AttnHeads != 0)
        {
            Refuse("attn_heads", $"{c.AttnHeads}", $"a divisor of {c.Dim}", $"model.attn_heads {c.AttnHeads} does not divide model.dim {c.Dim}.", errors);
        }
        else if (c.HeadDim % 2 != 0)
        {
            Refuse("attn_heads", $"{c.AttnHeads}", "an even head width", $"model.dim {c.Dim} over model.attn_heads {c.AttnHeads} is an odd head width; rotary positions need an even one.", errors);
        }

        if (c.MqaQHeads != c.AttnHeads)
        {
            Refuse("mqa_q_heads", $"{c.MqaQHeads}", $"{c.AttnHeads}", $"model.mqa_q_heads is {c.MqaQHeads}. Allowed: {c.AttnHeads}, the value of model.attn_heads.", errors);
        }

        if (c.RouterTopk == 1)
        {
            Refuse("router_topk", "1", "0, 2", "model.router_topk is 1. Allowed: 0, 2.", errors);
        }
    }
}
