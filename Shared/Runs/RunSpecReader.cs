using System.Text.Json;
using System.Text.RegularExpressions;

namespace Hearth.Runs;

/// <summary>Outcome of reading a spec: the spec, or every error found in it.</summary>
public sealed record RunSpecResult(RunSpec? Spec, IReadOnlyList<FieldError> Errors);

/// <summary>
/// Reads a run spec strictly: unknown keys, wrong types and values out of range are all reported, not only the first.
/// Family, size and model overrides are left to the family (it knows its fields).
/// </summary>
public static partial class RunSpecReader
{
    private const string ModelSection = "model";
    private const string Warmup = "optimizer.warmup_steps";
    private static readonly Dictionary<string, FieldRule> Rules = RunSpecFields.All.ToDictionary(r => r.Path, StringComparer.Ordinal);
    private static readonly HashSet<string> Sections =
        RunSpecFields.All.Where(r => r.Path.Contains('.', StringComparison.Ordinal)).Select(r => r.Path.Split('.')[0]).ToHashSet(StringComparer.Ordinal);

    public static RunSpecResult Read(JsonElement root)
    {
        var errors = new List<FieldError>();
        if (root.ValueKind != JsonValueKind.Object)
        {
            errors.Add(new FieldError("", Show(root), "an object", "A run is an object with the keys name, model and data."));
            return new RunSpecResult(null, errors);
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in root.EnumerateObject())
        {
            if (Sections.Contains(property.Name))
            {
                ReadSection(property, seen, errors);
            }
            else
            {
                ReadField(property.Name, property.Value, seen, errors);
            }
        }

        foreach (var rule in RunSpecFields.All.Where(r => r.Required && !seen.Contains(r.Path)))
        {
            errors.Add(new FieldError(rule.Path, "", rule.Allowed, $"{rule.Path} is missing. {rule.Help}"));
        }

        if (errors.Count > 0)
        {
            return new RunSpecResult(null, errors);
        }

        var spec = WithFittingWarmup(WithLongestRow(root.Deserialize<RunSpec>(Json.Wire)!), seen);
        CheckTogether(spec, errors);
        return new RunSpecResult(errors.Count == 0 ? spec : null, errors);
    }

    private static void ReadSection(JsonProperty section, HashSet<string> seen, List<FieldError> errors)
    {
        if (section.Value.ValueKind != JsonValueKind.Object)
        {
            errors.Add(new FieldError(section.Name, Show(section.Value), "an object", $"{section.Name} is {Show(section.Value)}. Allowed: an object."));
            return;
        }

        foreach (var property in section.Value.EnumerateObject())
        {
            string path = $"{section.Name}.{property.Name}";
            if (section.Name == ModelSection && !Rules.ContainsKey(path))
            {
                continue;
            }

            ReadField(path, property.Value, seen, errors);
        }
    }

    private static void ReadField(string path, JsonElement value, HashSet<string> seen, List<FieldError> errors)
    {
        if (!Rules.TryGetValue(path, out var rule))
        {
            string? near = Words.Nearest(path, Rules.Keys);
            string hint = near is null ? "" : $" Nearest: {near}.";
            errors.Add(new FieldError(path, Show(value), near ?? "", $"No field is called {path}.{hint}"));
            return;
        }

        if (!seen.Add(path))
        {
            errors.Add(new FieldError(path, Show(value), "once", $"{path} is given twice."));
            return;
        }

        if (!Accepts(rule, value))
        {
            string shown = Show(value);
            string message = shown.Length == 0 && rule.Kind == FieldKind.Text ? $"{path} is empty. {rule.Help}" : $"{path} is {shown}. Allowed: {rule.Allowed}.";
            errors.Add(new FieldError(path, shown, rule.Allowed, message));
        }
    }

    private static bool Accepts(FieldRule rule, JsonElement value) => rule.Kind switch
    {
        FieldKind.Text => value.ValueKind == JsonValueKind.String && (!rule.Required || value.GetString()!.Length > 0),
        FieldKind.Choice => value.ValueKind == JsonValueKind.String && rule.Choices!.Contains(value.GetString()),
        FieldKind.Integer => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long whole) && whole >= rule.Min && whole <= rule.Max,
        FieldKind.Number => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= rule.Min && number <= rule.Max,
        FieldKind.Flag => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        FieldKind.Stages => LengthCurriculum.Read(value) is not null,
        FieldKind.TextList => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String),
        _ => false,
    };

    // Whoever asks how long a row is, what it costs and what validation reads, means the longest.
    private static RunSpec WithLongestRow(RunSpec spec) => spec.Train.LengthCurriculum.Stages is [.., var last]
        ? spec with { Data = spec.Data with { SeqLen = last.Length } }
        : spec;

    // A warm-up that nobody named fits itself to the run (FieldRule.DefaultTenthOf); a named one is taken as it is, or refused.
    private static RunSpec WithFittingWarmup(RunSpec spec, HashSet<string> named) => named.Contains(Warmup)
        ? spec
        : spec with { Optimizer = spec.Optimizer with { WarmupSteps = Math.Min(spec.Optimizer.WarmupSteps, spec.Train.Steps / 10) } };

    private static void CheckTogether(RunSpec spec, List<FieldError> errors)
    {
        if (spec.Name.Length > 80 || !NamePattern().IsMatch(spec.Name))
        {
            errors.Add(new FieldError("name", spec.Name, "letters, digits, dots and dashes, at most 80", $"name is {spec.Name}. Allowed: letters, digits, dots and dashes, at most 80."));
        }

        LengthCurriculumRules.Check(spec.Train, errors);
        if (spec.Train.LengthCurriculum.Stages.Count == 0 && spec.Train.BatchTokens % spec.Data.SeqLen != 0)
        {
            long down = Math.Max(1, spec.Train.BatchTokens / spec.Data.SeqLen) * (long)spec.Data.SeqLen;
            errors.Add(new FieldError(
                "train.batch_tokens",
                Words.Number(spec.Train.BatchTokens),
                $"a multiple of {Words.Number(spec.Data.SeqLen)}",
                $"{Words.Number(spec.Train.BatchTokens)} tokens a step are no whole number of rows of {Words.Number(spec.Data.SeqLen)} (data.seq_len). Nearest: {Words.Number(down)}."));
        }

        if (spec.Optimizer.WarmupSteps > spec.Train.Steps)
        {
            string given = Words.Number(spec.Optimizer.WarmupSteps), steps = Words.Number(spec.Train.Steps);
            errors.Add(new FieldError(Warmup, given, $"0 to {steps}", $"A warm-up of {given} steps (optimizer.warmup_steps) is longer than the run's {steps} (train.steps). Allowed: 0 to {steps}."));
        }

        if (spec.Optimizer is { Ema: > 0, SwaSnapshots: > 0 })
        {
            string given = Words.Number(spec.Optimizer.SwaSnapshots);
            errors.Add(new FieldError("optimizer.swa_snapshots", given, "0, or optimizer.ema 0", $"optimizer.swa_snapshots is {given} and optimizer.ema {Words.Number(spec.Optimizer.Ema)}: a run keeps one average. Allowed: 0 in one of them."));
        }

        int rows = spec.Train.BatchTokens / spec.Data.SeqLen;
        if (spec.Train.MicroBatch > 0 && rows > 0 && rows % spec.Train.MicroBatch != 0)
        {
            errors.Add(new FieldError(
                "train.micro_batch",
                Words.Number(spec.Train.MicroBatch),
                $"0, or a divisor of {rows}",
                $"A micro-batch of {spec.Train.MicroBatch} rows does not divide the batch of {rows} rows. Allowed: 0, or a divisor of {rows}."));
        }
    }

    private static string Show(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number when value.TryGetDouble(out double number) => Words.Number(number),
        _ => value.GetRawText() is { Length: > 60 } text ? text[..60] + "…" : value.GetRawText(),
    };

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    private static partial Regex NamePattern();
}
