using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Models.Positronic;
using static TorchSharp.torch;

namespace Hearth.Training.Parity;

internal sealed partial class PositronicCases : FamilyCases
{
    public override IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
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

    public override IEnumerable<CaseResult> Results(LanguageModel model, CaseInputs inputs)
    {
        var positronic = (PositronicModel)model;
        var ids_BT = inputs.Ids("input.ids");
        return
        [
            new CaseResult("logits", "expect.logits", positronic.Logits(ids_BT)),
            .. Has(positronic, "use_mtp") ? [new CaseResult("logits", "expect.mtp_logits", positronic.MtpLogits(ids_BT))] : Array.Empty<CaseResult>(),
            .. Has(positronic, "use_ring_specialists") ? Read(positronic, ids_BT) : [],
            .. Has(positronic, "use_ring_specialists") && inputs.Contains("input.memory.in") ? Stored(positronic, inputs, ids_BT) : [],
            .. Greedy(positronic, inputs, ids_BT),
        ];
    }

    private static bool Has(PositronicModel model, string trait) => model.Plan.Config[trait]!.GetValue<bool>();

    private static IEnumerable<CaseResult> Read(PositronicModel model, Tensor ids_BT)
    {
        // Training leaves the last, unfinished chunk unwritten.
        var (in_LBRES, out_LBRES) = model.StoresAfter(ids_BT);
        return [new CaseResult("stores", "expect.stores_in", in_LBRES), new CaseResult("stores", "expect.stores_out", out_LBRES)];
    }

    private static IEnumerable<CaseResult> Stored(PositronicModel model, CaseInputs inputs, Tensor ids_BT)
    {
        var (stored_in, stored_out) = (inputs.Real("input.memory.in"), inputs.Real("input.memory.out"));
        model.SetRingStores(stored_in, stored_out);
        yield return new CaseResult("logits", "expect.writing_logits", model.LogitsWithMemory(ids_BT));
        var (kept_in, kept_out) = model.RingStores()!.Value;
        yield return new CaseResult("stores", "expect.kept_in", kept_in);
        yield return new CaseResult("stores", "expect.kept_out", kept_out);
        model.SetRingStores(stored_in, stored_out);
        model.SetRingMemoryWriting(false);
        yield return new CaseResult("logits", "expect.frozen_logits", model.LogitsWithMemory(ids_BT));
        model.SetRingMemoryWriting(true);
        model.ResetRingMemory();
    }

    // One request after the other: a request that keeps the memory starts from what the one before left.
    private static IEnumerable<CaseResult> Greedy(PositronicModel model, CaseInputs inputs, Tensor ids_BT)
    {
        if (!inputs.Metadata.TryGetProperty("greedy", out var requests) || requests.ValueKind != JsonValueKind.Array)
        {
            yield break;
        }

        foreach (var request in requests.EnumerateArray())
        {
            string where = request.GetProperty("prompt").GetString()!;
            var place = PromptPlace().Match(where);
            if (!place.Success)
            {
                throw new BadInputException($"greedy.prompt is {where}. Allowed: row R, ids A..B, the last one included.");
            }

            long row = Whole(place, 1), first = Whole(place, 2), length = Whole(place, 3) + 1 - first;
            model.KeepRingMemory = request.TryGetProperty("keep_ring_memory", out var keep) && keep.GetBoolean();
            int[] prompt = [.. ids_BT.select(0, row).narrow(0, first, length).HostArray<long>().Select(id => (int)id)];
            int[] text = [.. Sampler.Generate(model, prompt, request.GetProperty("new").GetInt32(), new Sampling())];
            yield return new CaseResult("greedy", "expect." + request.GetProperty("expect").GetString(), tensor(text));
        }

        model.KeepRingMemory = false;
        model.ResetRingMemory();
    }

    private static long Whole(Match match, int group) => long.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^row (\d+), ids (\d+)\.\.(\d+)$")]
    private static partial Regex PromptPlace();
}
