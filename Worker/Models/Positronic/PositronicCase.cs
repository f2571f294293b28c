using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Hearth.Kernels;
using static TorchSharp.torch;

namespace Hearth.Models.Positronic;

/// <summary>What a parity case of this family compares beyond losses, gradients and optimizer steps.</summary>
public sealed partial class PositronicModel
{
    public override IDecodeSession StartDecode() => new PositronicSession(this, _config);

    public override IEnumerable<CaseResult> Case(CaseInputs inputs)
    {
        var ids_BT = inputs.Ids("input.ids");
        yield return new CaseResult("logits", "expect.logits", Logits(ids_BT));
        if (_mtp.Length > 0)
        {
            yield return new CaseResult("logits", "expect.mtp_logits", MtpLogits(ids_BT));
        }

        foreach (var result in _config.UseRingSpecialists ? MemoryCase(inputs, ids_BT) : [])
        {
            yield return result;
        }

        foreach (var result in GreedyCase(inputs, ids_BT))
        {
            yield return result;
        }
    }

    private IEnumerable<CaseResult> MemoryCase(CaseInputs inputs, Tensor ids_BT)
    {
        // Training leaves the last, unfinished chunk unwritten.
        var trained = NewPass(ids_BT, 0, null, EmptyMemories(ids_BT.size(0)), writing: true);
        Trunk(ids_BT, trained);
        yield return new CaseResult("stores", "expect.stores_in", stack([.. trained.Memories.Select(m => m.In_BRES)]));
        yield return new CaseResult("stores", "expect.stores_out", stack([.. trained.Memories.Select(m => m.Out_BRES)]));
        if (!inputs.Contains("input.memory.in"))
        {
            yield break;
        }

        var (stored_in, stored_out) = (inputs.Real("input.memory.in"), inputs.Real("input.memory.out"));
        SetRingStores(stored_in, stored_out);
        yield return new CaseResult("logits", "expect.writing_logits", LogitsWithMemory(ids_BT));
        var (kept_in, kept_out) = RingStores()!.Value;
        yield return new CaseResult("stores", "expect.kept_in", kept_in);
        yield return new CaseResult("stores", "expect.kept_out", kept_out);
        SetRingStores(stored_in, stored_out);
        SetRingMemoryWriting(false);
        yield return new CaseResult("logits", "expect.frozen_logits", LogitsWithMemory(ids_BT));
        SetRingMemoryWriting(true);
        ResetRingMemory();
    }

    // One request after the other: a request that keeps the memory starts from what the one before left.
    private IEnumerable<CaseResult> GreedyCase(CaseInputs inputs, Tensor ids_BT)
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
                throw new ArgumentException($"greedy.prompt is {where}. Allowed: row R, ids A..B, the last one included.", nameof(inputs));
            }

            long row = Whole(place, 1), first = Whole(place, 2), length = Whole(place, 3) + 1 - first;
            KeepRingMemory = request.TryGetProperty("keep_ring_memory", out var keep) && keep.GetBoolean();
            int[] prompt = [.. ids_BT.select(0, row).narrow(0, first, length).HostArray<long>().Select(id => (int)id)];
            int[] text = [.. Sampler.Generate(this, prompt, request.GetProperty("new").GetInt32(), new Sampling())];
            yield return new CaseResult("greedy", "expect." + request.GetProperty("expect").GetString(), tensor(text));
        }

        KeepRingMemory = false;
        ResetRingMemory();
    }

    private static long Whole(Match match, int group) => long.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^row (\d+), ids (\d+)\.\.(\d+)$")]
    private static partial Regex PromptPlace();
}
