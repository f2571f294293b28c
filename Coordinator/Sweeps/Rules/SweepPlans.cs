using Hearth.Api;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>Makes a plan of what was asked for: defaults, and every error in the sweep's own fields. Pure.</summary>
public static class SweepPlans
{
    /// <summary>Trials of a sweep.</summary>
    public const int MostTrials = 1000;

    private const int LongestName = 64;
    private const int MostParallel = 256;
    private const int UsualTrials = 20;

    /// <summary>What every run reports. Families add terms of their own beside the validation loss.</summary>
    internal static readonly string[] Metrics = ["validation_loss", "validation_bits_per_byte", "loss", "grad_norm", "tokens_per_second", "step_seconds", "memory_bytes", "power_watts", "validation_raw"];

    /// <returns>The plan, or every error; what the run spec is worth is checked by whoever knows the pool.</returns>
    public static (SweepPlan? Plan, IReadOnlyList<FieldError> Errors) Read(SubmitSweep request)
    {
        var (space, wrong) = SpaceChecks.Read(request.Space);
        var errors = wrong.ToList();
        if (RunSpecReader.Read(request.Spec).Readable is not { } spec)
        {
            errors.Add(FieldError.Of("spec", "", "the run that trials are variants of, as POST /api/v1/runs takes it", "no object"));
            return (null, errors);
        }

        var (search, limits) = (request.Search ?? new SweepSearch(), request.Limits ?? new SweepLimits());
        Check(errors, request, spec);
        Check(errors, search, spec.Train.Steps);
        Check(errors, limits);
        if (errors.Count > 0 || space is null)
        {
            return (null, errors);
        }

        var (method, halving, factor) = (search.Method ?? SearchMethod.Random, search.Halving ?? Halving.None, search.Factor ?? 3);
        int points = search.GridPoints ?? 4;
        int grid = method == SearchMethod.Grid ? Draws.Grid(space, points).Take(MostTrials + 1).Count() : UsualTrials;
        if (grid > MostTrials && limits.Trials is null)
        {
            return (null, [FieldError.Of("space", $"a grid of more than {Words.Number(MostTrials)} points", $"at most {Words.Number(MostTrials)}, or limits.trials for the first of them")]);
        }

        long first = halving == Halving.None ? 0 : search.FirstRung ?? Math.Max(1, spec.Train.Steps / (factor * factor));
        var plan = new SweepPlan
        {
            Space = space,
            Method = method,
            Halving = halving,
            Rungs = Brackets.Rungs(first, factor, spec.Train.Steps),
            Factor = factor,
            Seed = search.Seed ?? 1337,
            Trials = method == SearchMethod.Grid ? Math.Min(grid, limits.Trials ?? grid) : limits.Trials ?? UsualTrials,
            Parallel = request.Parallel ?? 4,
            GridPoints = points,
            Metric = request.Objective?.Metric ?? "validation_loss",
            Maximise = request.Objective?.Maximise ?? false,
            Budget = new Budget(limits.Tokens, limits.Hours, limits.Kwh),
            Patience = search.Patience ?? 0,
        };
        return (plan, []);
    }

    /// <summary>Tokens that a trial trains a step: the space's where it has them, else the base run's.</summary>
    public static Func<Setting, long> TokensPerStep(SubmitSweep request, SweepPlan plan)
    {
        int own = plan.Space.Dimensions.Index().FirstOrDefault(d => d.Item.Path == "train.batch_tokens", (-1, null!)).Index;
        long otherwise = RunSpecReader.Read(request.Spec).Readable!.Train.BatchTokens;
        return setting => own < 0 || setting.Values[own] is not { } value ? otherwise
            : plan.Space.Dimensions[own].IsChoice ? plan.Space.Dimensions[own].Json(value).TryGetInt64(out long tokens) ? tokens : otherwise
            : (long)value;
    }

    /// <summary>Steps of all trials when each rung lets through the share that it is to: what a sweep costs about. Trials that go on early make it a little more.</summary>
    public static long ForecastSteps(SweepPlan plan)
    {
        var brackets = Brackets.Assign(plan.Trials, plan.Rungs.Count, plan.Factor, plan.Halving == Halving.Hyperband);
        long steps = 0;
        foreach (var bracket in brackets.GroupBy(b => b))
        {
            int trials = bracket.Count();
            long before = 0;
            foreach (long rung in plan.Rungs.Skip(bracket.Key))
            {
                steps += trials * (rung - before);
                (trials, before) = (trials / plan.Factor, rung);
            }
        }

        return steps;
    }

    private static void Check(List<FieldError> errors, SubmitSweep request, RunSpec spec)
    {
        if (request.Name.Length is 0 or > LongestName)
        {
            errors.Add(FieldError.Of("name", request.Name, $"1 to {LongestName} letters, digits, dots and dashes", "empty"));
        }

        if (request.Parallel is < 1 or > MostParallel)
        {
            errors.Add(FieldError.Of("parallel", Words.Number(request.Parallel.Value), $"1 to {MostParallel}"));
        }

        string metric = request.Objective?.Metric ?? "validation_loss";
        bool validation = metric.StartsWith("validation_", StringComparison.Ordinal);
        if (!Metrics.Contains(metric) && !validation)
        {
            string? near = Words.Nearest(metric, Metrics);
            errors.Add(new FieldError("objective.metric", metric, $"{string.Join(", ", Metrics)}, or validation_ and a term of the family", $"No run reports {(metric.Length == 0 ? "a metric without a name" : metric)}.{(near is null ? "" : $" Nearest: {near}.")} Allowed: {string.Join(", ", Metrics)}, or validation_ and a term of the family."));
        }
        else if (metric == "validation_raw" && !spec.Optimizer.Averages)
        {
            errors.Add(new FieldError("objective.metric", metric, "validation_loss, or a run with optimizer.ema", "Only runs that average their weights report validation_raw. Allowed: validation_loss, or a run with optimizer.ema."));
        }

        if (validation && spec.Eval.EverySteps == 0)
        {
            errors.Add(new FieldError("spec.eval.every_steps", "0", "at least 1", $"spec.eval.every_steps is 0, so no run reports {metric}. Allowed: at least 1."));
        }
    }

    private static void Check(List<FieldError> errors, SweepSearch search, int steps)
    {
        Between("search.factor", search.Factor, 2, 10);
        Between("search.grid_points", search.GridPoints, 1, 64);
        Between("search.patience", search.Patience, 0, MostTrials);
        Between("search.seed", search.Seed, 0, 1L << 53);
        if (search.FirstRung is { } first && !(first >= 1 && first < steps))
        {
            errors.Add(FieldError.Of("search.first_rung", Words.Number(first), $"at least 1 and below train.steps, {Words.Number(steps)}"));
        }

        void Between(string field, long? value, long least, long most)
        {
            if (value < least || value > most)
            {
                errors.Add(FieldError.Of(field, Words.Number(value.Value), $"{Words.Number(least)} to {Words.Number(most)}"));
            }
        }
    }

    private static void Check(List<FieldError> errors, SweepLimits limits)
    {
        if (limits.Trials is < 1 or > MostTrials)
        {
            errors.Add(FieldError.Of("limits.trials", Words.Number(limits.Trials.Value), $"1 to {Words.Number(MostTrials)}"));
        }

        foreach (var (field, value) in new[] { ("tokens", limits.Tokens), ("hours", limits.Hours), ("kwh", limits.Kwh) })
        {
            if (value is { } given && !(given > 0 && double.IsFinite(given)))
            {
                errors.Add(FieldError.Of($"limits.{field}", Words.Number(given), "more than 0, or nothing for no limit"));
            }
        }
    }
}
