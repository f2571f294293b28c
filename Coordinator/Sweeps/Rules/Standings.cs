using Hearth.Api;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>A sweep's trials, compared: rungs by bracket, who is to go on, and which setting comes next.</summary>
internal sealed class Standings
{
    private readonly Dictionary<int, IReadOnlyList<RungStanding>> _ladders;
    private readonly IReadOnlyList<Setting> _grid;

    internal Standings(SweepState state)
    {
        State = state;
        var plan = state.Plan;
        Brackets = Rules.Brackets.Assign(plan.Trials, plan.Rungs.Count, plan.Factor, plan.Halving == Halving.Hyperband);
        _grid = plan.Method == SearchMethod.Grid ? [.. Draws.Grid(plan.Space, plan.GridPoints).Take(plan.Trials)] : [];
        IsOutOfPatience = RunsOut(state.Trials.Count);
        bool all = IsOutOfPatience || state.Trials.Count == plan.Trials;
        _ladders = Brackets.Distinct().ToDictionary(b => b, b =>
        {
            var trials = state.Trials.Where(t => t.Bracket == b).Select(t => t.Number).ToList();
            return Ladder.Stand(trials, all, plan.Rungs.Count - b, plan.Factor, (trial, rung) => Score(trial, b + rung));
        });
    }

    internal SweepState State { get; }

    /// <summary>Of each trial, those to come included.</summary>
    internal IReadOnlyList<int> Brackets { get; }

    /// <summary>So many trials in a row brought nothing better that no new one begins.</summary>
    internal bool IsOutOfPatience { get; }

    /// <summary>A trial's result at a rung, the less the better; null = not there yet, positive infinity = it will never be.</summary>
    internal double? Score(int trial, int rung)
    {
        var state = State.Trials[trial];
        return state.Results.TryGetValue(rung, out double value) ? !double.IsFinite(value) ? double.PositiveInfinity : State.Plan.Maximise ? -value : value
            : state.Status is TrialStatus.Failed or TrialStatus.Stopped ? double.PositiveInfinity
            : null;
    }

    /// <summary>Every rung of every bracket, by the sweep's rungs.</summary>
    internal IEnumerable<(int Rung, RungStanding Standing)> All() => _ladders.OrderBy(l => l.Key).SelectMany(l => l.Value.Index().Select(s => (l.Key + s.Index, s.Item)));

    /// <summary>Trials that wait and may go on, those furthest first.</summary>
    internal IEnumerable<(TrialState Trial, Promotion Promotion)> Promotions() => All()
        .OrderByDescending(r => r.Rung)
        .SelectMany(r => r.Standing.Promotions.Select(p => (Trial: State.Trials[p.Trial], Promotion: p, r.Rung)))
        .Where(p => p.Trial.Status == TrialStatus.Waiting && p.Trial.Rung == p.Rung)
        .Select(p => (p.Trial, p.Promotion));

    /// <summary>The setting of trial n and where it comes from; null while results that it is to learn from are not there.</summary>
    internal (Setting Setting, string Why)? Choose(int n)
    {
        var plan = State.Plan;
        if (plan.Patience > 0 && (!IsKnown(n) || RunsOut(n)))
        {
            return null;
        }

        if (plan.Method == SearchMethod.Grid)
        {
            return n < _grid.Count ? (_grid[n], $"point {n + 1} of the grid") : null;
        }

        if (plan.Method == SearchMethod.Random || n < Tpe.RandomFirst)
        {
            return (Draws.Random(plan.Space, plan.Seed, n), "at random");
        }

        if (n > State.Trials.Count || !IsKnown(n))
        {
            return null;
        }

        int known = n - plan.Parallel;
        var observed = State.Trials.Select(t => new Observation(t.Setting, t.Number < known ? Share(t, known) : double.PositiveInfinity)).ToList();
        int learnt = observed.Count(o => double.IsFinite(o.Score));
        return (Tpe.Next(plan.Space, observed, plan.Seed, n), learnt < Tpe.RandomFirst ? "at random" : $"likely better, by the first results of {learnt} trials");
    }

    // First rungs of different brackets cannot be compared, places within them can: the share of a bracket's trials that did better.
    private double Share(TrialState trial, int known)
    {
        double own = Score(trial.Number, trial.Bracket)!.Value;
        double[] peers = [.. State.Trials.Take(known).Where(t => t.Bracket == trial.Bracket).Select(t => Score(t.Number, t.Bracket)!.Value)];
        return double.IsFinite(own) ? (peers.Count(p => p < own) + 0.5) / peers.Length : double.PositiveInfinity;
    }

    // Trial n hangs on the trials that must be done before it can begin on as many devices as there are, and on no others, even if they are done.
    private bool IsKnown(int n) => State.Trials.Take(n - State.Plan.Parallel).All(t => Score(t.Number, t.Bracket) is not null);

    // Whether trial n does not come any more: before those that it hangs on are known, it may. Each bracket compares its own.
    private bool RunsOut(int n)
    {
        var best = new Dictionary<int, double>();
        int waited = 0;
        foreach (var trial in State.Trials.Take(n - State.Plan.Parallel))
        {
            if (State.Plan.Patience == 0 || Score(trial.Number, trial.Bracket) is not { } score)
            {
                return false;
            }

            bool better = score < best.GetValueOrDefault(trial.Bracket, double.PositiveInfinity);
            best[trial.Bracket] = better ? score : best.GetValueOrDefault(trial.Bracket, double.PositiveInfinity);
            waited = better ? 0 : waited + 1;
            if (waited >= State.Plan.Patience)
            {
                return true;
            }
        }

        return false;
    }
}
