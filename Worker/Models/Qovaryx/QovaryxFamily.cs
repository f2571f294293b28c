using Hearth.Runs;

namespace Hearth.Models.Qovaryx;

/// <summary>Qovaryx: grouped-query decoder with four kinds of feed-forward network, multi-token prediction and optional heads (docs/families/qovaryx.md).</summary>
public sealed class QovaryxFamily() : Family<QovaryxConfig>("qovaryx", "Qovaryx", "Predicts 4 tokens ahead")
{
    protected override OrderedDictionary<string, QovaryxConfig> Presets { get; } = new(StringComparer.Ordinal)
    {
        ["nano"] = new() { VocabSize = 512, DModel = 64, NLayer = 2, NHead = 4, NKvHead = 1, DFf = 176, FfnRank = 16, MaxSeqLen = 256 },
        ["50m"] = new(),
        ["350m"] = new() { DModel = 1024, NLayer = 24, NHead = 16, NKvHead = 4, DFf = 2816, TieEmbeddings = false, MtpKind = "block" },
        ["1b"] = new() { DModel = 2048, NLayer = 22, NHead = 16, NKvHead = 4, DFf = 5504 },
    };

    public override RunSpec Recipe(string size) => QovaryxRecipe.Of(this, size);

    protected override ModelPlan Plan(QovaryxConfig config, PlanHead head) => new QovaryxPlan(config) { Head = head };

    protected override void Check(QovaryxConfig config, IList<FieldError> errors)
    {
        Divides(("n_head", config.NHead), ("d_model", config.DModel), errors);
        Divides(("n_kv_head", config.NKvHead), ("n_head", config.NHead), errors);
        if (config.FfnTopK > config.FfnExperts)
        {
            Refuse("ffn_top_k", $"{config.FfnTopK}", $"1 to {config.FfnExperts}", $"model.ffn_top_k {config.FfnTopK} is over model.ffn_experts {config.FfnExperts}. Allowed: 1 to {config.FfnExperts}.", errors);
        }

        if (config.DModel / config.NHead % 2 != 0)
        {
            Refuse("n_head", $"{config.NHead}", "an even head width", $"model.d_model {config.DModel} over model.n_head {config.NHead} is an odd head width; rotary positions need an even one.", errors);
        }
    }
}
