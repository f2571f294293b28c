using System.Text.Json;
using Hearth.Models;
using Hearth.Models.Blocks;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

internal sealed class QovaryxCases : FamilyCases
{
    private const int PromptTokens = 8;
    private static readonly string[] Whole = ["has_image", "lengths", "decision_pos", "decision_label"];
    private static readonly string[] Real = ["image", "class_weight"];

    public override IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
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

    public override IReadOnlyDictionary<string, JsonElement> Defaults { get; } = Values(("class_weighted_decision", true));

    public override IReadOnlyDictionary<string, JsonElement> Variants { get; } =
        Values(("noquant", new { act_quant = false }), ("capacity", new { capacity_factor = 1.0 }));

    public override IReadOnlyDictionary<string, Tensor> Extras(CaseInputs inputs) =>
        Whole.Where(n => inputs.Contains("input." + n)).Select(n => (Name: n, Value: inputs.Ids("input." + n)))
            .Concat(Real.Where(n => inputs.Contains("input." + n)).Select(n => (Name: n, Value: inputs.Real("input." + n))))
            .ToDictionary(x => x.Name, x => x.Value, StringComparer.Ordinal);

    public override IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs)
    {
        var decoder = (Decoder)model;
        var ids_BT = inputs.Ids("input.ids");
        var extras = new RowExtras(Extras(inputs));
        return
        [
            new CaseResult("logits", "expect.logits", decoder.Logits(ids_BT, extras)),
            .. decoder.MtpLogits(ids_BT, extras).Select((logits, i) => new CaseResult("logits", $"expect.mtp_logits.{i + 1}", logits)),
            .. decoder.Plan.Config["ffn_kind"]!.GetValue<string>() == "routed_lowrank_swiglu"
                ? decoder.Routings(ids_BT, extras).Select((r, i) => new CaseResult("router_share", $"expect.router_share.{i}", Experts.Shares(r)))
                : [],
            .. decoder.Plan.Config["decision_head_enabled"]!.GetValue<bool>() ? [new CaseResult("decision", "expect.decision", decoder.Decide(ids_BT, extras))] : Array.Empty<CaseResult>(),
            .. inputs.Contains("expect.drafts") ? [Drafts(decoder, inputs, ids_BT)] : Array.Empty<CaseResult>(),
        ];
    }

    // drafts[b,i]: what the further heads propose when greedy[b, :i+1] is known.
    private static CaseResult Drafts(Decoder decoder, CaseInputs inputs, Tensor ids_BT)
    {
        var greedy_BT = inputs.Ids("expect.greedy");
        long[] shape = inputs.Shape("expect.drafts");
        var all = new List<int>();
        for (long b = 0; b < shape[0]; b++)
        {
            for (long i = 0; i < shape[1]; i++)
            {
                using var scope = NewDisposeScope();
                all.AddRange(decoder.Draft(cat([ids_BT.narrow(0, b, 1).narrow(1, 0, PromptTokens), greedy_BT.narrow(0, b, 1).narrow(1, 0, i + 1)], 1)));
            }
        }

        return new CaseResult("drafts", "expect.drafts", tensor(all.ToArray(), shape));
    }
}
