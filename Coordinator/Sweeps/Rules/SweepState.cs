using Hearth.Api;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>What a sweep may spend; null = as much as it takes.</summary>
/// <param name="Tokens">Trained by all trials, counted when a trial is sent to a rung.</param>
/// <param name="Hours">Of devices.</param>
/// <param name="Kwh">As devices measured them.</param>
public sealed record Budget(long? Tokens = null, double? Hours = null, double? Kwh = null);

/// <summary>What a sweep is: never changes once it is submitted.</summary>
public sealed record SweepPlan
{
    public required SearchSpace Space { get; init; }
    public required SearchMethod Method { get; init; }
    public Halving Halving { get; init; }

    /// <summary>Steps at which trials wait, the last a whole run's.</summary>
    public required IReadOnlyList<long> Rungs { get; init; }

    /// <summary>η: one of so many goes on.</summary>
    public int Factor { get; init; } = 3;
    public long Seed { get; init; }

    /// <summary>Settings that are tried.</summary>
    public required int Trials { get; init; }

    /// <summary>Trials that train at a time.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Values of a range in a grid.</summary>
    public int GridPoints { get; init; } = 4;
    public string Metric { get; init; } = "validation_loss";
    public bool Maximise { get; init; }
    public Budget Budget { get; init; } = new();

    /// <summary>The sweep ends once so many trials in a row, by number, brought no better first result; 0 = never.</summary>
    public int Patience { get; init; }
}

/// <summary>A trial.</summary>
public sealed record TrialState
{
    /// <summary>From 0.</summary>
    public required int Number { get; init; }
    public required Setting Setting { get; init; }
    public required int Bracket { get; init; }

    /// <summary>Of the sweep's rungs, the one that it is at or on its way to.</summary>
    public required int Rung { get; init; }
    public required TrialStatus Status { get; init; }
    public long TokensPerStep { get; init; }

    /// <summary>The metric at each rung that it reached, by the sweep's rungs; those before its bracket's first are not in it.</summary>
    public IReadOnlyDictionary<int, double> Results { get; init; } = new Dictionary<int, double>();
}

/// <summary>A sweep at one moment.</summary>
/// <param name="Plan">What it is.</param>
/// <param name="Trials">By number, without gaps.</param>
/// <param name="Hours">Spent.</param>
/// <param name="Kwh">Spent.</param>
/// <param name="TokensPerStep">What a trial that begins would train a step, by its setting.</param>
public sealed record SweepState(SweepPlan Plan, IReadOnlyList<TrialState> Trials, double Hours, double Kwh, Func<Setting, long> TokensPerStep);

/// <summary>What a sweep does next, and why, in one sentence.</summary>
public abstract record SweepDecision(string Sentence);

/// <summary>A new trial.</summary>
/// <param name="Trial">Its number.</param>
/// <param name="Setting">Its values.</param>
/// <param name="Bracket">By which it is judged.</param>
/// <param name="Step">Where it waits.</param>
/// <param name="Sentence">Why.</param>
public sealed record StartTrial(int Trial, Setting Setting, int Bracket, long Step, string Sentence) : SweepDecision(Sentence);

/// <summary>A trial goes on from its checkpoint.</summary>
/// <param name="Trial">Its number.</param>
/// <param name="Rung">Where it goes, of the sweep's rungs.</param>
/// <param name="Step">Of that rung.</param>
/// <param name="Sentence">Why.</param>
public sealed record PromoteTrial(int Trial, int Rung, long Step, string Sentence) : SweepDecision(Sentence);

/// <summary>A trial trains no further.</summary>
public sealed record StopTrial(int Trial, string Sentence) : SweepDecision(Sentence);

/// <summary>Nothing is left to do.</summary>
/// <param name="Best">Number of the best trial; null = none has a result.</param>
/// <param name="Sentence">How it went.</param>
public sealed record FinishSweep(int? Best, string Sentence) : SweepDecision(Sentence);
