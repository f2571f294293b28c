using System.Text.Json;
using Hearth.Models;
using Hearth.Models.Moa;

namespace Hearth.Training.Parity;

internal sealed class MoaCases : FamilyCases
{
    public override IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "dim",
        ["layers"] = "num_layers",
        ["heads"] = "attn_heads",
        ["mqa_heads"] = "mqa_q_heads",
    };

    // Advice for runs, not part of the model that cases describe.
    public override IReadOnlyDictionary<string, JsonElement> Defaults { get; } = Values(("freq_lr_mult", 1), ("router_soft_steps", 0));

    public override IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs)
    {
        var inside = ((MoaModel)model).Inside(inputs.Ids("input.logits_ids"));
        return
        [
            new CaseResult("logits", "expect.logits", inside.Logits_BTV),
            .. inside.Blocks.Select((x, i) => new CaseResult("debug", $"expect.debug.hidden.{i + 1}", x)),
            .. inside.Omegas.Select((omega, i) => new CaseResult("debug", $"expect.debug.omega.{i}", omega)),
        ];
    }
}
