using static TorchSharp.torch;

namespace Hearth.Models.Blocks;

/// <summary>What a parity case of this model compares beyond losses, gradients and optimizer steps.</summary>
public sealed partial class Decoder
{
    public override IReadOnlyDictionary<string, Tensor> CaseExtras(CaseInputs inputs) => RowExtras.OfCase(inputs);

    public override IEnumerable<CaseResult> Case(CaseInputs inputs)
    {
        var ids_BT = inputs.Ids("input.ids");
        var extras = new RowExtras(RowExtras.OfCase(inputs));
        return
        [
            new CaseResult("logits", "expect.logits", Logits(ids_BT, extras)),
            .. MtpLogits(ids_BT, extras).Select((logits, i) => new CaseResult("logits", $"expect.mtp_logits.{i + 1}", logits)),
            .. _config.Routers is null ? [] : Routings(ids_BT, extras).Select((r, i) => new CaseResult("router_share", $"expect.router_share.{i}", Experts.Shares(r))),
            .. _decision is null ? Array.Empty<CaseResult>() : [new CaseResult("decision", "expect.decision", Decide(ids_BT, extras))],
            .. inputs.Contains("expect.drafts") ? [Drafts(inputs, ids_BT)] : Array.Empty<CaseResult>(),
        ];
    }

    // drafts[b,i]: what the further heads propose when greedy[b, :i+1] is known.
    private CaseResult Drafts(CaseInputs inputs, Tensor ids_BT)
    {
        const int promptTokens = 8;
        var greedy_BT = inputs.Ids("expect.greedy");
        long[] shape = inputs.Shape("expect.drafts");
        var all = new List<int>();
        for (long b = 0; b < shape[0]; b++)
        {
            for (long i = 0; i < shape[1]; i++)
            {
                using var scope = NewDisposeScope();
                all.AddRange(Draft(cat([ids_BT.narrow(0, b, 1).narrow(1, 0, promptTokens), greedy_BT.narrow(0, b, 1).narrow(1, 0, i + 1)], 1)));
            }
        }

        return new CaseResult("drafts", "expect.drafts", tensor(all.ToArray(), shape));
    }
}
