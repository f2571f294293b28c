using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps;

/// <summary>A sweep's row.</summary>
internal sealed record SweepRow
{
    internal const string Select = "select s.id, s.number, s.name, s.state, s.request, s.best_trial, s.created_by, s.created_at, s.ended_at from sweeps s";

    public Guid Id { get; init; }
    public long Number { get; init; }
    public string Name { get; init; } = "";
    public SweepStateName State { get; init; }
    public JsonElement Request { get; init; }
    public int? BestTrial { get; init; }
    public string CreatedBy { get; init; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    internal SubmitSweep Submitted() => Request.Deserialize<SubmitSweep>(Json.Wire)!;
}

/// <summary>A trial's row, with the run that carries it out.</summary>
internal sealed record TrialRow
{
    internal const string Select =
        """
        select t.sweep_id, t.number, t.setting, t.bracket, t.rung, t.status, t.tokens_per_step, t.results, t.run_id, t.settled,
            r.number as run_number, r.state as run_state, r.step as run_step, r.total_steps as run_steps, r.reason as run_reason, r.pause_at_step
        from sweep_trials t left join runs r on r.id = t.run_id
        """;

    public Guid SweepId { get; init; }
    public int Number { get; init; }
    public JsonElement Setting { get; init; }
    public int Bracket { get; init; }
    public int Rung { get; init; }
    public TrialStatus Status { get; init; }
    public long TokensPerStep { get; init; }
    public JsonElement Results { get; init; }
    public Guid? RunId { get; init; }
    public bool Settled { get; init; }
    public long? RunNumber { get; init; }
    public RunState? RunState { get; init; }
    public long? RunStep { get; init; }
    public long? RunSteps { get; init; }
    public string? RunReason { get; init; }
    public long? PauseAtStep { get; init; }

    internal TrialState State(SweepPlan plan) => new()
    {
        Number = Number,
        Setting = plan.Space.Read(Setting),
        Bracket = Bracket,
        Rung = Rung,
        Status = Status,
        TokensPerStep = TokensPerStep,
        Results = Results.EnumerateObject().ToDictionary(r => int.Parse(r.Name, CultureInfo.InvariantCulture), r => r.Value.GetDouble()),
    };

    internal TrialView View(SweepPlan plan, string? decision) => new()
    {
        Number = Number,
        Setting = Setting,
        Bracket = Bracket,
        RungStep = plan.Rungs[Rung],
        Status = Status,
        Results = [.. State(plan).Results.OrderBy(r => r.Key).Select(r => new RungResult(plan.Rungs[r.Key], r.Value))],
        RunId = RunId,
        RunNumber = RunNumber,
        Step = RunStep ?? 0,
        Decision = decision,
    };
}
