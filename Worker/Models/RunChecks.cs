using System.Text.Json;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>A spec that passed every check that needs no database, or all errors in it.</summary>
public sealed record CheckedRun(RunSpec? Spec, ModelPlan? Plan, IReadOnlyList<FieldError> Errors);

/// <summary>Where a run would fit: micro-batch rows × accumulation on one device, or the reason why not.</summary>
public sealed record FitResult(bool Fits, int MicroBatch, int Accumulation, long NeededBytes, string Reason)
{
    /// <summary>The end of <see cref="Reason"/> where a change of the spec would make it fit: which, as a sentence.</summary>
    public string Remedy { get; init; } = "";
}

/// <summary>Checks of a whole run spec and its fit to a device. Pure: no libtorch, no allocation.</summary>
public static class RunChecks
{
    public static CheckedRun Validate(JsonElement json)
    {
        var read = RunSpecReader.Read(json);
        if (read.Spec is not { } spec)
        {
            return new CheckedRun(null, null, [.. read.Errors, .. ModelErrors(json)]);
        }

        var errors = new List<FieldError>();
        var plan = Families.Plan(spec.Model, errors);
        if (plan is not null)
        {
            Together(spec, plan, errors);
            WithoutMasters(spec, plan, errors);
            plan.Under(spec.Train, spec.Optimizer);
        }

        return new CheckedRun(errors.Count == 0 ? spec : null, plan, errors);
    }

    /// <summary>The largest micro-batch that divides the batch and fits the device's memory.</summary>
    public static FitResult Fit(ModelPlan plan, RunSpec spec, long deviceBytes, DeviceKind kind) => new RunForecast(plan, spec).On(deviceBytes, kind);

    // The model is checked even when another part of the spec is wrong, so that a form shows every error at once.
    private static IReadOnlyList<FieldError> ModelErrors(JsonElement json)
    {
        var errors = new List<FieldError>();
        if (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("model", out var model) && model.ValueKind == JsonValueKind.Object
            && Text(model, "family") is { Length: > 0 } && Text(model, "size") is { Length: > 0 })
        {
            Families.Plan(model.Deserialize<ModelSpec>(Json.Wire)!, errors);
        }

        return errors;
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static void WithoutMasters(RunSpec spec, ModelPlan plan, List<FieldError> errors)
    {
        string? reason = spec.Train.Master == "none" ? OptimizerKinds.MastersNeeded(spec.Optimizer, spec.Train.Precision) ?? plan.MastersNeeded : null;
        if (reason is not null)
        {
            errors.Add(new FieldError("train.master", "none", "fp32", $"train.master is none, but {reason}. Allowed: fp32."));
        }
    }

    private static void Together(RunSpec spec, ModelPlan plan, List<FieldError> errors)
    {
        if (spec.Data.SeqLen > plan.MaxSeqLen)
        {
            string given = Words.Number(spec.Data.SeqLen), longest = Words.Number(plan.MaxSeqLen);
            var (field, subject) = spec.Train.LengthCurriculum.Stages.Count > 0
                ? ("train.length_curriculum", $"{given}, the last length of train.length_curriculum,")
                : ("data.seq_len", given);
            errors.Add(new FieldError(field, given, $"8 to {longest}", $"{subject} is over {plan.Title}'s longest, {longest}. Allowed: 8 to {longest}."));
        }

        if (spec.Data.DocMask && plan.DocumentMasks == 0)
        {
            string able = string.Join(", ", Families.All.Where(f => f.Plan(f.Sizes[0], new Dictionary<string, JsonElement>(), [])!.DocumentMasks > 0).Select(f => f.Title));
            errors.Add(new FieldError("data.doc_mask", "true", "false", $"data.doc_mask is true, and {plan.Title} mixes tokens beyond attention. Allowed: false, or {able}."));
        }

        int least = TokenizerKinds.LeastVocabulary(spec.Data.Tokenizer);
        if (plan.VocabSize < least)
        {
            errors.Add(new FieldError(
                "model.vocab_size",
                Words.Number(plan.VocabSize),
                $"at least {least}",
                $"{TokenizerKinds.LeastEntries(spec.Data.Tokenizer)}; {plan.VocabSize} entries do not hold them. Allowed: at least {least}."));
        }
    }
}
