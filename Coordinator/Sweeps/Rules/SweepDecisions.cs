using Hearth.Api;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>
/// What a sweep does next: a pure function of its plan and of what its trials have brought, with neither clock nor chance in it. Settings, brackets and promotions are
/// functions of the seed and the trials' results alone, in whatever order these came and however often the coordinator changed; only where a budget ends a
/// sweep depends on what was under way then.
/// </summary>
public static class SweepDecisions
{
    public static IReadOnlyList<SweepDecision> Decide(SweepState state)
    {
        var plan = state.Plan;
        var sweep = new Standings(state);
        string? spent = OverTime(state);
        if (spent is not null)
        {
            // Hours and energy go on while a trial trains, so it is stopped where it is.
            return [.. state.Trials.Where(t => t.Status is TrialStatus.Training or TrialStatus.Waiting).Select(t => new StopTrial(t.Number, $"Trial {t.Number} stops: {spent}.")), Finish(sweep, spent)];
        }

        var decisions = new List<SweepDecision>();
        int free = plan.Parallel - state.Trials.Count(t => t.Status == TrialStatus.Training);
        long tokens = state.Trials.Sum(t => t.TokensPerStep * StepsSent(plan, t));
        bool open = true;
        foreach (var next in Wanted(sweep))
        {
            if (tokens + next.Tokens > plan.Budget.Tokens)
            {
                (open, spent) = (false, $"the next rung would take the sweep over its {Words.Number(plan.Budget.Tokens.Value)} tokens");
                break;
            }

            if (free-- <= 0)
            {
                break;
            }

            tokens += next.Tokens;
            decisions.Add(next.Decision);
        }

        decisions.AddRange(Stops(sweep));
        bool rests = !decisions.Any(d => d is StartTrial or PromoteTrial) && state.Trials.All(t => t.Status != TrialStatus.Training);
        if (rests && (!open || !Wanted(sweep).Any()))
        {
            var stopped = decisions.OfType<StopTrial>().Select(d => d.Trial).ToHashSet();
            spent ??= sweep.IsOutOfPatience ? $"the last {plan.Patience} trials brought nothing better" : null;
            decisions.AddRange(state.Trials.Where(t => t.Status == TrialStatus.Waiting && !stopped.Contains(t.Number)).Select(t => new StopTrial(t.Number, $"Trial {t.Number} stops with the sweep{(spent is null ? "" : $": {spent}")}.")));
            decisions.Add(Finish(sweep, spent));
        }

        return decisions;
    }

    // What it would do with devices without end, the most promising first: what got furthest, then new settings.
    private static IEnumerable<(SweepDecision Decision, long Tokens)> Wanted(Standings sweep)
    {
        var plan = sweep.State.Plan;
        foreach (var (trial, promotion) in sweep.Promotions())
        {
            long from = plan.Rungs[trial.Rung], to = plan.Rungs[trial.Rung + 1];
            yield return (
                new PromoteTrial(
                    trial.Number,
                    trial.Rung + 1,
                    to,
                    $"Trial {trial.Number} goes on to step {Words.Number(to)}: {Ordinal(promotion.Rank)} of {promotion.Of} at step {Words.Number(from)} with {Show(trial.Results[trial.Rung])}, and the best {(promotion.Best == 1 ? "one goes" : $"{promotion.Best} go")} on."),
                (to - from) * trial.TokensPerStep);
        }

        for (int n = sweep.State.Trials.Count; n < plan.Trials && sweep.Choose(n) is { } chosen; n++)
        {
            int bracket = sweep.Brackets[n];
            long step = plan.Rungs[bracket];
            yield return (
                new StartTrial(n, chosen.Setting, bracket, step, $"Trial {n} starts, to step {Words.Number(step)}: {plan.Space.Show(chosen.Setting)}; {chosen.Why}."),
                step * sweep.State.TokensPerStep(chosen.Setting));
        }
    }

    private static IEnumerable<StopTrial> Stops(Standings sweep)
    {
        var plan = sweep.State.Plan;
        foreach (var (rung, standing) in sweep.All().Where(r => r.Standing.IsClosed && r.Rung < plan.Rungs.Count - 1))
        {
            var went = standing.Promotions.Select(p => p.Trial).ToHashSet();
            double[] ranked = [.. standing.Entrants.Select(t => sweep.Score(t, rung)!.Value).Order()];
            double cut = went.Count == 0 ? double.NaN : went.Max(t => sweep.Score(t, rung)!.Value);
            foreach (var trial in standing.Entrants.Where(t => !went.Contains(t)).Select(t => sweep.State.Trials[t]).Where(t => t.Status == TrialStatus.Waiting && t.Rung == rung))
            {
                double own = sweep.Score(trial.Number, rung)!.Value;
                string behind = own > cut ? $", {Show(own - cut)} behind the last that went on" : "";
                yield return new StopTrial(
                    trial.Number, $"Trial {trial.Number} stops after step {Words.Number(plan.Rungs[rung])} as {Ordinal(Array.IndexOf(ranked, own) + 1)} of {ranked.Length}{behind}.");
            }
        }
    }

    private static FinishSweep Finish(Standings sweep, string? spent)
    {
        var state = sweep.State;
        string end = spent is null ? "The sweep is done" : $"The sweep ends: {spent}";
        string counts = $"{Words.Number(state.Trials.Count)} of {Words.Number(state.Plan.Trials)} trials";
        return Best(state) is { } best
            ? new FinishSweep(best.Number, $"{end}. Best of {counts} is trial {best.Number} with {state.Plan.Metric} {Show(best.Results[best.Results.Keys.Max()])} at step {Words.Number(state.Plan.Rungs[best.Results.Keys.Max()])}: {state.Plan.Space.Show(best.Setting)}.")
            : new FinishSweep(null, $"{end}. None of {counts} brought a result.");
    }

    /// <summary>The best trial of those that got furthest; null while none has a result.</summary>
    public static TrialState? Best(SweepState state) => state.Trials
        .Where(t => t.Results.Count > 0)
        .OrderByDescending(t => t.Results.Keys.Max())
        .ThenBy(t => state.Plan.Maximise ? -t.Results[t.Results.Keys.Max()] : t.Results[t.Results.Keys.Max()])
        .ThenBy(t => t.Number)
        .FirstOrDefault();

    private static string? OverTime(SweepState state) =>
        state.Hours >= state.Plan.Budget.Hours ? $"its {Show(state.Plan.Budget.Hours.Value)} hours of devices are spent"
        : state.Kwh >= state.Plan.Budget.Kwh ? $"its {Show(state.Plan.Budget.Kwh.Value)} kWh are spent"
        : null;

    private static long StepsSent(SweepPlan plan, TrialState trial) => plan.Rungs[trial.Rung];

    private static string Show(double value) => value.ToString("0.####", System.Globalization.CultureInfo.InvariantCulture);

    private static string Ordinal(int n) => n + ((n % 100) is >= 11 and <= 13 ? "th" : (n % 10) switch { 1 => "st", 2 => "nd", 3 => "rd", _ => "th" });
}
