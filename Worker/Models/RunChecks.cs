using System.Text.Json;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>A spec that passed every check that needs no database, or all errors in it.</summary>
/// <param name="Read">What the spec's reader made of it: what further checks may look at though other fields are wrong.</param>
public sealed record CheckedRun(RunSpec? Spec, ModelPlan? Plan, IReadOnlyList<FieldError> Errors, RunSpecResult Read);

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
        if (read.Readable is not { } spec)
        {
            return new CheckedRun(null, null, read.Errors, read);
        }

        // What the model breaks is said beside what is wrong elsewhere, so that a form shows every error at once.
        var errors = read.Errors.ToList();
        var plan = read.Says("model.family", "model.size") ? Families.Plan(spec.Model, errors) : null;
        if (plan is not null)
        {
            Together(spec, plan, read, errors);
            WithoutMasters(spec, plan, read, errors);
            plan.Under(spec.Train, spec.Optimizer);
            spec = Packing(spec, plan, read);
        }

        return new CheckedRun(errors.Count == 0 ? spec : null, plan, errors, read);
    }

    /// <summary>The largest micro-batch that divides the batch and fits the device's memory.</summary>
    public static FitResult Fit(ModelPlan plan, RunSpec spec, long deviceBytes, DeviceKind kind) => new RunForecast(plan, spec).On(deviceBytes, kind);

    // Conversations stand side by side in a row where the family keeps them apart and nobody said otherwise.
    private static RunSpec Packing(RunSpec spec, ModelPlan plan, RunSpecResult read) =>
        spec.Task == RunTasks.Sft && plan.DocumentMasks > 0 && !read.Named.Contains("data.doc_mask") ? spec with { Data = spec.Data with { DocMask = true } } : spec;

    private static void WithoutMasters(RunSpec spec, ModelPlan plan, RunSpecResult read, List<FieldError> errors)
    {
        string? reason = spec.Train.Master == "none" && read.Says("train.precision", "optimizer.name", "optimizer.embed_state") ? OptimizerKinds.MastersNeeded(spec.Optimizer, spec.Train.Precision) ?? plan.MastersNeeded : null;
        if (reason is not null)
        {
            errors.Add(new FieldError("train.master", "none", "fp32", $"train.master is none, but {reason}. Allowed: fp32."));
        }
    }

    private static void Together(RunSpec spec, ModelPlan plan, RunSpecResult read, List<FieldError> errors)
    {
        if (read.Says("data.seq_len", "train.length_curriculum") && spec.Data.SeqLen > plan.MaxSeqLen)
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
        if (read.Says("data.tokenizer") && plan.VocabSize < least)
        {
            errors.Add(new FieldError(
                "model.vocab_size",
                Words.Number(plan.VocabSize),
                $"at least {least}",
                $"{TokenizerKinds.LeastEntries(spec.Data.Tokenizer)}; {plan.VocabSize} entries do not hold them. Allowed: at least {least}."));
        }
    }
}
