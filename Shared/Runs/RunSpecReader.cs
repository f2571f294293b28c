using System.Text.Json;
using System.Text.RegularExpressions;

namespace Hearth.Runs;

/// <summary>Outcome of reading a spec: the spec, or every error found in it.</summary>
public sealed record RunSpecResult(RunSpec? Spec, IReadOnlyList<FieldError> Errors)
{
    /// <summary>
    /// What could be read, so that whoever knows more (the family, the pool) finds its errors in the same go: fields that are wrong or missing are at
    /// their defaults, texts that must be given are empty. Null = the spec is no object.
    /// </summary>
    public RunSpec? Readable { get; init; }

    /// <summary>Fields that <see cref="Readable"/> has not as they were meant.</summary>
    public IReadOnlySet<string> Unread { get; init; } = new HashSet<string>();

    /// <summary>Fields that were named, right or wrong; the others are at their defaults.</summary>
    public IReadOnlySet<string> Named { get; init; } = new HashSet<string>();

    /// <summary>Whether all these fields are as they were meant, so that a check of them says something.</summary>
    public bool Says(params string[] fields) => !fields.Any(Unread.Contains);
}

/// <summary>
/// Reads a run spec strictly: unknown keys, wrong types and values out of range are all reported, not only the first, and so is what
/// fields break together, as far as they can be read. Family, size and model overrides are left to the family (it knows its fields).
/// </summary>
public static partial class RunSpecReader
{
    /// <summary>A spec with more errors than these is read no further.</summary>
    public const int MostErrors = 100;

    private const string ModelSection = "model";
    private const string Warmup = "optimizer.warmup_steps";
    private static readonly Dictionary<string, FieldRule> Rules = RunSpecFields.All.ToDictionary(r => r.Path, StringComparer.Ordinal);
    private static readonly HashSet<string> Sections =
        RunSpecFields.All.Where(r => r.Path.Contains('.', StringComparison.Ordinal)).Select(r => r.Path.Split('.')[0]).ToHashSet(StringComparer.Ordinal);

    public static RunSpecResult Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            return new RunSpecResult(null, [new FieldError("spec", FieldValues.Show(root), "an object", "A run is an object with the keys name, model and data.")]);
        }

        var fields = new SpecFields();
        foreach (var property in root.EnumerateObject().TakeWhile(_ => !fields.IsFull))
        {
            if (Sections.Contains(property.Name))
            {
                ReadSection(property, fields);
            }
            else
            {
                ReadField(property.Name, property.Value, fields);
            }
        }

        fields.Complete(RunSpecFields.All);
        var spec = WithFittingWarmup(WithLongestRow(fields.Values.Deserialize<RunSpec>(Json.Wire)!), fields);
        var result = new RunSpecResult(spec, fields.Errors) { Readable = spec, Unread = fields.Unread, Named = fields.Named };
        CheckTogether(spec, result, fields.Errors);
        return fields.Errors.Count == 0 ? result : result with { Spec = null };
    }

    private static void ReadSection(JsonProperty section, SpecFields fields)
    {
        if (section.Value.ValueKind != JsonValueKind.Object)
        {
            string shown = FieldValues.Show(section.Value);
            fields.RefuseSection(section.Name, new FieldError(section.Name, shown, "an object", $"{section.Name} is {shown}. Allowed: an object."), RunSpecFields.All);
            return;
        }

        foreach (var property in section.Value.EnumerateObject().TakeWhile(_ => !fields.IsFull))
        {
            string path = $"{section.Name}.{property.Name}";
            if (section.Name == ModelSection && !Rules.ContainsKey(path))
            {
                fields.Take(path, FieldValues.Node(property.Value));
                continue;
            }

            ReadField(path, property.Value, fields);
        }
    }

    private static void ReadField(string path, JsonElement value, SpecFields fields)
    {
        string shown = FieldValues.Show(value);
        if (!Rules.TryGetValue(path, out var rule))
        {
            string? near = Words.Nearest(path, Rules.Keys);
            string hint = near is null ? "" : $" Nearest: {near}.";
            fields.Errors.Add(new FieldError(path, shown, near ?? "a field of the run's spec", $"No field is called {path}.{hint}"));
        }
        else if (fields.Has(path))
        {
            fields.Refuse(path, new FieldError(path, shown, "once", $"{path} is given twice."));
        }
        else if (FieldValues.Read(rule, value) is { } read)
        {
            fields.Take(path, read);
        }
        else
        {
            string message = shown.Length == 0 && rule.Kind == FieldKind.Text ? $"{path} is empty. {rule.Help}" : $"{path} is {shown}. Allowed: {rule.Allowed}.";
            fields.Refuse(path, new FieldError(path, shown, rule.Allowed, message));
        }
    }

    // Whoever asks how long a row is, what it costs and what validation reads, means the longest.
    private static RunSpec WithLongestRow(RunSpec spec) => spec.Train.LengthCurriculum.Stages is [.., var last]
        ? spec with { Data = spec.Data with { SeqLen = last.Length } }
        : spec;

    // A warm-up that nobody named fits itself to the run (FieldRule.DefaultTenthOf); a named one is taken as it is, or refused.
    private static RunSpec WithFittingWarmup(RunSpec spec, SpecFields named) => named.Has(Warmup)
        ? spec
        : spec with { Optimizer = spec.Optimizer with { WarmupSteps = Math.Min(spec.Optimizer.WarmupSteps, spec.Train.Steps / 10) } };

    private static void CheckTogether(RunSpec spec, RunSpecResult read, List<FieldError> errors)
    {
        if (read.Says("name") && (spec.Name.Length > 80 || !NamePattern().IsMatch(spec.Name)))
        {
            errors.Add(new FieldError("name", spec.Name, "letters, digits, dots and dashes, at most 80", $"name is {spec.Name}. Allowed: letters, digits, dots and dashes, at most 80."));
        }

        if (read.Says("task", "start_from") && spec.Task == RunTasks.Sft && spec.StartFrom.Length == 0)
        {
            errors.Add(new FieldError("start_from", "", "a checkpoint such as r-12 or r-12@500", "start_from is empty, and task is sft, which tunes a trained model. Allowed: a checkpoint such as r-12 or r-12@500."));
        }

        if (read.Says("train.steps", "train.batch_tokens", "train.length_curriculum"))
        {
            LengthCurriculumRules.Check(spec.Train, errors);
        }

        if (read.Says("data.seq_len", "train.batch_tokens", "train.length_curriculum") && spec.Train.LengthCurriculum.Stages.Count == 0 && spec.Train.BatchTokens % spec.Data.SeqLen != 0)
        {
            long down = Math.Max(1, spec.Train.BatchTokens / spec.Data.SeqLen) * (long)spec.Data.SeqLen;
            errors.Add(new FieldError(
                "train.batch_tokens",
                Words.Number(spec.Train.BatchTokens),
                $"a multiple of {Words.Number(spec.Data.SeqLen)}",
                $"{Words.Number(spec.Train.BatchTokens)} tokens a step are no whole number of rows of {Words.Number(spec.Data.SeqLen)} (data.seq_len). Nearest: {Words.Number(down)}."));
        }

        if (read.Says(Warmup, "train.steps") && spec.Optimizer.WarmupSteps > spec.Train.Steps)
        {
            string given = Words.Number(spec.Optimizer.WarmupSteps), steps = Words.Number(spec.Train.Steps);
            errors.Add(new FieldError(Warmup, given, $"0 to {steps}", $"A warm-up of {given} steps (optimizer.warmup_steps) is longer than the run's {steps} (train.steps). Allowed: 0 to {steps}."));
        }

        if (read.Says("optimizer.ema", "optimizer.swa_snapshots") && spec.Optimizer is { Ema: > 0, SwaSnapshots: > 0 })
        {
            string given = Words.Number(spec.Optimizer.SwaSnapshots);
            errors.Add(new FieldError("optimizer.swa_snapshots", given, "0, or optimizer.ema 0", $"optimizer.swa_snapshots is {given} and optimizer.ema {Words.Number(spec.Optimizer.Ema)}: a run keeps one average. Allowed: 0 in one of them."));
        }

        int rows = spec.Train.BatchTokens / spec.Data.SeqLen;
        if (read.Says("data.seq_len", "train.batch_tokens", "train.micro_batch", "train.length_curriculum") && spec.Train.MicroBatch > 0 && rows > 0 && rows % spec.Train.MicroBatch != 0)
        {
            errors.Add(new FieldError(
                "train.micro_batch",
                Words.Number(spec.Train.MicroBatch),
                $"0, or a divisor of {rows}",
                $"A micro-batch of {spec.Train.MicroBatch} rows does not divide the batch of {rows} rows. Allowed: 0, or a divisor of {rows}."));
        }
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]*\\z")]
    private static partial Regex NamePattern();
}
