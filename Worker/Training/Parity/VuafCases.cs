using Hearth.Models;
using Hearth.Models.Vuaf;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

internal sealed class VuafCases : FamilyCases
{
    private const double ExitThreshold = 0.5;
    private const int MostLoops = 8;

    public override IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["vocab"] = "vocab_size",
        ["d"] = "d_model",
        ["layers"] = "n_layers",
        ["loops"] = "loop_steps",
        ["head_dim"] = "rwkv_head_dim",
        ["lowrank"] = "rwkv_lowrank",
        ["mamba_state"] = "mamba_d_state",
        ["mamba_head"] = "mamba_d_head",
        ["ffn"] = "ffn_hidden",
        ["experts"] = "moe_n_experts",
        ["pattern"] = "token_mix_pattern",
        ["channel"] = "channel_mix_pattern",

        // Fields of the published config that have one value.
        ["name"] = "",
        ["tie_embeddings"] = "",
        ["mamba_mode"] = "",
        ["dropout"] = "",
    };

    public override IReadOnlyDictionary<string, string> WordsInLists { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["rwkv"] = VuafConfig.Rwkv,
        ["mamba"] = VuafConfig.Mamba,
    };

    public override IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs)
    {
        var looped = (VuafModel)model;
        var ids_BT = inputs.Ids("input.ids");
        var steps = looped.Steps(ids_BT, looped.LoopSteps);
        var exit_BT = full(ids_BT.shape, steps.Count - 1, ScalarType.Int64, ids_BT.device);
        for (int r = 0; r < steps.Count; r++)
        {
            yield return new CaseResult("logits", $"expect.logits.{r}", steps[r].Logits_BTV);
            if (steps[r].Halt_BT is { } halt_BT)
            {
                yield return new CaseResult("halt", $"expect.halt.{r}", halt_BT);
                exit_BT = where(halt_BT.sigmoid().ge(ExitThreshold), exit_BT.clamp(max: r), exit_BT);
            }
        }

        yield return new CaseResult("exit", "expect.exit", exit_BT);
        for (int loops = 1; loops <= MostLoops; loops++)
        {
            if (inputs.Contains($"expect.loops{loops}.logits"))
            {
                yield return new CaseResult("logits", $"expect.loops{loops}.logits", looped.Logits(ids_BT, loops));
            }
        }
    }
}
