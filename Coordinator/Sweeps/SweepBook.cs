using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Something that is written down of a sweep.</summary>
internal sealed record Said(int? Trial, string Sentence);

/// <summary>A sweep's trials during a look: what was observed and decided of them, and what is to be written.</summary>
internal sealed class SweepBook(SweepPlan plan, IReadOnlyList<TrialRow> rows)
{
    private readonly List<TrialState> _trials = [.. rows.Select(r => r.State(plan))];
    private readonly SortedSet<int> _changed = [];
    private readonly List<Said> _said = [];

    internal SweepPlan Plan => plan;

    internal IReadOnlyList<TrialState> Trials => _trials;

    internal IEnumerable<TrialState> Changed => _changed.Select(n => _trials[n]);

    internal IReadOnlyList<Said> Said => _said;

    internal bool HasChanged => _changed.Count + _said.Count > 0;

    internal bool IsFinished { get; private set; }

    internal int? Best { get; private set; }

    /// <summary>A trial is at its rung; without a number there it is out.</summary>
    internal void Reach(TrialRow row, double? value)
    {
        var trial = _trials[row.Number];
        long step = plan.Rungs[trial.Rung];
        if (value is not { } result || !double.IsFinite(result))
        {
            Fail(row.Number, $"Trial {row.Number} is out: r-{row.RunNumber} reported {(value is null ? $"no {plan.Metric}" : $"a {plan.Metric} that is no number")} up to step {Words.Number(step)}.");
            return;
        }

        Put(trial with
        {
            Status = trial.Rung == plan.Rungs.Count - 1 ? TrialStatus.Finished : TrialStatus.Waiting,
            Results = new Dictionary<int, double>(trial.Results) { [trial.Rung] = result },
        });
        _said.Add(new Said(row.Number, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Trial {row.Number} is at step {Words.Number(step)} with {plan.Metric} {result:0.####}.")));
    }

    internal void Fail(int trial, string sentence)
    {
        Put(_trials[trial] with { Status = TrialStatus.Failed });
        _said.Add(new Said(trial, sentence));
    }

    internal void Apply(IReadOnlyList<SweepDecision> decisions, Func<Setting, long> tokensPerStep)
    {
        foreach (var decision in decisions)
        {
            switch (decision)
            {
                case StartTrial start:
                    _trials.Add(new TrialState
                    {
                        Number = start.Trial,
                        Setting = start.Setting,
                        Bracket = start.Bracket,
                        Rung = start.Bracket,
                        Status = TrialStatus.Training,
                        TokensPerStep = tokensPerStep(start.Setting),
                    });
                    Say(start.Trial, decision);
                    break;
                case PromoteTrial promotion:
                    _trials[promotion.Trial] = _trials[promotion.Trial] with { Rung = promotion.Rung, Status = TrialStatus.Training };
                    Say(promotion.Trial, decision);
                    break;
                case StopTrial stop:
                    _trials[stop.Trial] = _trials[stop.Trial] with { Status = TrialStatus.Stopped };
                    Say(stop.Trial, decision);
                    break;
                case FinishSweep finish:
                    (IsFinished, Best) = (true, finish.Best);
                    _said.Add(new Said(null, decision.Sentence));
                    break;
            }
        }
    }

    private void Say(int trial, SweepDecision decision)
    {
        _changed.Add(trial);
        _said.Add(new Said(trial, decision.Sentence));
    }

    private void Put(TrialState trial)
    {
        _trials[trial.Number] = trial;
        _changed.Add(trial.Number);
    }
}
