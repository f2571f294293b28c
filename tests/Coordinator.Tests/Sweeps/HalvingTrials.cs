using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Xunit;

namespace Hearth.Tests.Sweeps;

/// <summary>ASHA and Hyperband: who goes on, what it costs, and that it is the same in whatever order results come.</summary>
public sealed class HalvingTrials
{
    private const int Arms = 81;

    public static IEnumerable<object[]> Sweeps { get; } =
        from method in Enum.GetValues<SearchMethod>() from halving in Enum.GetValues<Halving>() from parallel in new[] { 1, 3, 8 } select new object[] { method, halving, parallel };

    [Fact]
    public void Asha_finds_the_best_of_81_arms_with_less_than_a_third_of_the_steps()
    {
        // Arm a's loss falls towards its own end; ends are spread so that neighbours differ by less than a curve still falls.
        var end = Enumerable.Range(0, Arms).ToDictionary(a => a, a => 1 + (0.01 * ((a * 37) % Arms)));
        var plan = Plan(SearchMethod.Random, Halving.Asha, 4) with { Trials = Arms, Rungs = Brackets.Rungs(1, 3, Arms) };
        for (ulong order = 0; order < 20; order++)
        {
            var sweep = new Simulation(plan, (arm, _, step) => end[arm] + (2.0 / step), order).Run();

            Assert.Equal(end.MinBy(e => e.Value).Key, sweep.End.Best);
            Assert.True(sweep.Steps * 3 <= Arms * Arms, $"{sweep.Steps} of {Arms * Arms} steps");
        }
    }

    [Fact]
    public void The_best_third_goes_on_once_all_before_it_have_their_results()
    {
        Assert.Equal([new Promotion(1, 1, 3, 1), new Promotion(3, 1, 4, 1)], Ladder.Promote([(0, 3), (1, 1), (2, 2), (3, 0.5), (4, 9), (5, 8), (6, null), (7, 0)], 3));
        Assert.Equal([], Ladder.Promote([(0, 3), (1, null), (2, 2), (3, 1)], 3));
        Assert.Equal([], Ladder.Promote([(0, double.PositiveInfinity), (1, double.PositiveInfinity), (2, double.PositiveInfinity)], 3));
    }

    [Fact]
    public void Rungs_grow_by_the_factor_and_end_with_the_run()
    {
        Assert.Equal([250, 750, 2250, 6750], Brackets.Rungs(250, 3, 6750));
        Assert.Equal([250, 750, 1000], Brackets.Rungs(250, 3, 1000));
        Assert.Equal([1000], Brackets.Rungs(0, 3, 1000));
    }

    [Fact]
    public void Hyperband_spreads_trials_over_brackets_by_its_shares()
    {
        var brackets = Brackets.Assign(143, 5, 3, hyperband: true);

        // η^s/(s+1): 81/5, 27/4, 9/3, 3/2, 1 of 28.45.
        Assert.Equal([81, 34, 15, 8, 5], Enumerable.Range(0, 5).Select(b => brackets.Count(x => x == b)));
    }

    [Theory]
    [MemberData(nameof(Sweeps))]
    public void The_same_seed_and_results_give_the_same_decisions_in_whatever_order_results_come(SearchMethod method, Halving halving, int parallel)
    {
        var plan = Plan(method, halving, parallel);
        var first = Carried(plan, 0);
        for (ulong order = 1; order < 12; order++)
        {
            var other = Carried(plan, order);
            Assert.Equal(first.Decisions.Select(d => d.Sentence).Order(StringComparer.Ordinal), other.Decisions.Select(d => d.Sentence).Order(StringComparer.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Sweeps))]
    public void A_sweep_with_patience_ends_after_the_same_trials_in_whatever_order_results_come(SearchMethod method, Halving halving, int parallel)
    {
        var plan = Plan(method, halving, parallel) with { Patience = 6, Trials = 60, GridPoints = 60 };
        var first = Carried(plan, 0);

        Assert.All(Enumerable.Range(1, 8), order => Assert.Equal(first.Decisions.ToHashSet(), Carried(plan, (ulong)order).Decisions.ToHashSet()));
    }

    [Theory]
    [MemberData(nameof(Sweeps))]
    public void A_sweep_never_trains_more_at_a_time_than_it_may_and_ends_with_every_trial_over(SearchMethod method, Halving halving, int parallel)
    {
        var sweep = Carried(Plan(method, halving, parallel), 5);

        Assert.Equal(27, sweep.Trials.Count);
        Assert.All(sweep.Trials, t => Assert.True(t.Status is TrialStatus.Finished or TrialStatus.Failed or TrialStatus.Stopped, $"trial {t.Number} is {t.Status}"));
        Assert.All(sweep.Decisions, d => Assert.EndsWith(".", d.Sentence, StringComparison.Ordinal));
        Assert.NotNull(sweep.End.Best);
    }

    [Fact]
    public void A_trial_that_failed_counts_as_worst_and_holds_nobody_up()
    {
        var plan = Plan(SearchMethod.Random, Halving.Asha, 3);
        var sweep = new Simulation(plan, Loss, 3, (trial, rung) => trial % 5 == 0 || (trial == 7 && rung == 1)).Run();

        Assert.Equal(6, sweep.Trials.Count(t => t.Status == TrialStatus.Failed && t.Results.Count == 0));
        Assert.DoesNotContain(sweep.Decisions.OfType<PromoteTrial>(), p => p.Trial % 5 == 0);
        Assert.NotNull(sweep.End.Best);
    }

    [Fact]
    public void A_sweep_in_which_all_fails_ends_with_that_sentence()
    {
        var sweep = new Simulation(Plan(SearchMethod.Tpe, Halving.Asha, 4), Loss, 0, (_, _) => true).Run();

        Assert.Equal("The sweep is done. None of 27 of 27 trials brought a result.", sweep.End.Sentence);
        Assert.Null(sweep.End.Best);
    }

    [Fact]
    public void No_rung_is_begun_that_would_go_over_the_tokens()
    {
        var sweep = Carried(Plan(SearchMethod.Random, Halving.Asha, 2) with { Budget = new Budget(Tokens: 500) }, 0);

        Assert.InRange(sweep.Steps, 300, 500);
        Assert.Contains("over its 500 tokens", sweep.End.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Spent_hours_stop_every_trial_where_it_is()
    {
        var plan = Plan(SearchMethod.Random, Halving.Asha, 2) with { Budget = new Budget(Hours: 1.5) };
        var trials = SweepDecisions.Decide(new SweepState(plan, [], 0, 0, _ => 1)).OfType<StartTrial>()
            .Select(s => new TrialState { Number = s.Trial, Setting = s.Setting, Bracket = 0, Rung = 0, Status = TrialStatus.Training }).ToList();

        var decisions = SweepDecisions.Decide(new SweepState(plan, trials, 1.5, 0, _ => 1));

        Assert.Equal(["Trial 0 stops: its 1.5 hours of devices are spent.", "Trial 1 stops: its 1.5 hours of devices are spent.", "The sweep ends: its 1.5 hours of devices are spent. None of 2 of 27 trials brought a result."], decisions.Select(d => d.Sentence));
    }

    [Fact]
    public void Deciding_twice_on_the_same_state_says_the_same()
    {
        var state = new Simulation(Plan(SearchMethod.Tpe, Halving.Hyperband, 4), Loss, 2).Run().State;
        var under = state with { Trials = [.. state.Trials.Take(13)] };

        Assert.Equal(SweepDecisions.Decide(under), SweepDecisions.Decide(under with { Trials = [.. under.Trials] }));
    }

    private static Simulation Carried(SweepPlan plan, ulong order) => new Simulation(plan, Loss, order, (trial, rung) => trial == 4 && rung == 0).Run();

    private static double Loss(int trial, Setting setting, long step) => Spaces.Conditional(setting) + (3.0 / step) + (0.0001 * trial);

    private static SweepPlan Plan(SearchMethod method, Halving halving, int parallel) => new()
    {
        Space = Spaces.Six,
        Method = method,
        Halving = halving,
        Rungs = Brackets.Rungs(halving == Halving.None ? 0 : 10, 3, 90),
        Seed = 31,
        Trials = 27,
        Parallel = parallel,
    };
}
