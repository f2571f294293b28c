using Hearth.Models;
using Hearth.Models.Hybrid;

namespace Hearth.Training.Parity;

internal sealed class HybridCases : FamilyCases
{
    public override IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
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

    public override IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs)
    {
        var ids_BT = inputs.Ids("input.ids");
        return
        [
            new CaseResult("logits", "expect.logits", model.Logits(ids_BT)),
            .. ((HybridModel)model).Stream(ids_BT.narrow(0, 0, 1)).Select((x, i) => new CaseResult("stream", $"expect.debug.stream.{i}", x)),
        ];
    }
}
