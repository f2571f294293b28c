using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;

namespace Hearth.Tests.Sweeps;

/// <summary>A sweep carried through without a pool: decisions are done at once, and of the trials that train one, chosen by the seed, comes to its rung.</summary>
internal sealed class Simulation(SweepPlan plan, Func<int, Setting, long, double> result, ulong order = 0, Func<int, int, bool>? fails = null)
{
    private readonly List<TrialState> _trials = [];

    internal IReadOnlyList<TrialState> Trials => _trials;

    internal List<SweepDecision> Decisions { get; } = [];

    internal FinishSweep End => Decisions.OfType<FinishSweep>().Single();

    /// <summary>Steps that were trained, each once: a promoted trial goes on from where it is.</summary>
    internal long Steps => _trials.Sum(t => t.Results.Count == 0 ? 0 : plan.Rungs[t.Results.Keys.Max()]);

    internal SweepState State => new(plan, [.. _trials], 0, 0, _ => 1);

    internal Simulation Run()
    {
        var numbers = new SplitMix64(order);
        while (true)
        {
            foreach (var decision in SweepDecisions.Decide(State))
            {
                Decisions.Add(decision);
                Apply(decision);
            }

            int[] busy = [.. _trials.Where(t => t.Status == TrialStatus.Training).Select(t => t.Number)];
            if (Decisions.LastOrDefault() is FinishSweep || busy.Length == 0)
            {
                return this;
            }

            Reach(busy[(int)(numbers.NextUniform() * busy.Length)]);
        }
    }

    private void Reach(int trial)
    {
        var state = _trials[trial];
        _trials[trial] = fails?.Invoke(trial, state.Rung) == true ? state with { Status = TrialStatus.Failed } : state with
        {
            Status = state.Rung == plan.Rungs.Count - 1 ? TrialStatus.Finished : TrialStatus.Waiting,
            Results = new Dictionary<int, double>(state.Results) { [state.Rung] = result(trial, state.Setting, plan.Rungs[state.Rung]) },
        };
    }

    private void Apply(SweepDecision decision)
    {
        switch (decision)
        {
            case StartTrial start:
                _trials.Add(new TrialState { Number = start.Trial, Setting = start.Setting, Bracket = start.Bracket, Rung = start.Bracket, Status = TrialStatus.Training, TokensPerStep = 1 });
                break;
            case PromoteTrial promotion:
                _trials[promotion.Trial] = _trials[promotion.Trial] with { Rung = promotion.Rung, Status = TrialStatus.Training };
                break;
            case StopTrial stop:
                _trials[stop.Trial] = _trials[stop.Trial] with { Status = TrialStatus.Stopped };
                break;
        }
    }
}
