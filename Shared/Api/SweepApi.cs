using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Api;

/// <summary>How the values of a field are spread over a sweep's trials.</summary>
public enum DimensionKind
{
    /// <summary>Any number between two, evenly.</summary>
    Number,

    /// <summary>Any number between two, its logarithm evenly.</summary>
    Log,

    /// <summary>Whole numbers, or multiples of one, evenly.</summary>
    Integer,

    /// <summary>The same, their logarithm evenly.</summary>
    LogInteger,

    /// <summary>One of a list.</summary>
    Choice,
}

/// <summary>How a sweep chooses settings.</summary>
public enum SearchMethod
{
    Grid,
    Random,

    /// <summary>Tree-structured Parzen estimator.</summary>
    Tpe,
}

/// <summary>How a sweep cuts trials short.</summary>
public enum Halving
{
    /// <summary>Every trial trains to its end.</summary>
    None,
    Asha,
    Hyperband,
}

/// <summary>A field counts only while another one, a choice, has one of these values.</summary>
public sealed record SweepCondition(string Field, IReadOnlyList<JsonElement> Values);

/// <summary>A field of the run spec that trials differ in: a range, or a list of values.</summary>
public sealed record SweepField
{
    /// <summary>Dotted path in the run spec.</summary>
    public required string Field { get; init; }

    /// <summary>Left out: choice where values are given, integer where the run spec has a whole number, else number.</summary>
    public DimensionKind? Kind { get; init; }
    public double? Min { get; init; }
    public double? Max { get; init; }

    /// <summary>Of integers.</summary>
    public double? MultipleOf { get; init; }
    public IReadOnlyList<JsonElement>? Values { get; init; }
    public IReadOnlyList<SweepCondition>? When { get; init; }
}

/// <summary>How settings are chosen and trials cut short.</summary>
public sealed record SweepSearch
{
    /// <summary>Random when left out.</summary>
    public SearchMethod? Method { get; init; }

    /// <summary>Equal seeds and equal results give equal decisions. 1337 when left out.</summary>
    public long? Seed { get; init; }

    /// <summary>Values of a range in a grid; 4 when left out.</summary>
    public int? GridPoints { get; init; }

    /// <summary>None when left out.</summary>
    public Halving? Halving { get; init; }

    /// <summary>Steps of the first rung; a ninth of train.steps when left out.</summary>
    public long? FirstRung { get; init; }

    /// <summary>One of so many goes on, each rung is so many times the one before; 3 when left out.</summary>
    public int? Factor { get; init; }

    /// <summary>Ends the sweep once so many trials in a row brought nothing better; 0, when left out, never.</summary>
    public int? Patience { get; init; }
}

/// <summary>What a good trial is.</summary>
public sealed record SweepObjective
{
    /// <summary>Name of a series of the runs; validation_loss when left out.</summary>
    public string? Metric { get; init; }

    /// <summary>Whether more is better.</summary>
    public bool? Maximise { get; init; }
}

/// <summary>What a sweep may spend; what is left out is not bounded, but for trials: 20, or the whole grid.</summary>
public sealed record SweepLimits
{
    public int? Trials { get; init; }
    public long? Tokens { get; init; }

    /// <summary>Of devices.</summary>
    public double? Hours { get; init; }
    public double? Kwh { get; init; }
}

/// <summary>POST /api/v1/sweeps, with an Idempotency-Key header.</summary>
public sealed record SubmitSweep
{
    public required string Name { get; init; }

    /// <summary>The run that trials are variants of, as POST /api/v1/runs takes it.</summary>
    public required JsonElement Spec { get; init; }
    public required IReadOnlyList<SweepField> Space { get; init; }
    public SweepSearch? Search { get; init; }
    public SweepObjective? Objective { get; init; }
    public SweepLimits? Limits { get; init; }

    /// <summary>Trials that train at a time; 4 when left out.</summary>
    public int? Parallel { get; init; }
}

/// <summary>States of a sweep.</summary>
public enum SweepStateName
{
    Running,
    Done,
    Cancelled,
}

/// <summary>Where a trial stands.</summary>
public enum TrialStatus
{
    /// <summary>On its way to a rung: queued, training, moved from one device to another.</summary>
    Training,

    /// <summary>At its rung, with its result.</summary>
    Waiting,

    /// <summary>At the last rung.</summary>
    Finished,

    /// <summary>Its run failed or somebody cancelled it.</summary>
    Failed,

    /// <summary>The sweep took it out.</summary>
    Stopped,
}

/// <summary>GET /api/v1/sweeps.</summary>
public sealed record SweepSummary
{
    public required Guid Id { get; init; }

    /// <summary>People call it s-NUMBER.</summary>
    public required long Number { get; init; }
    public required string Name { get; init; }
    public required SweepStateName State { get; init; }
    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Trials that there will be.</summary>
    public required int Trials { get; init; }
    public required int Started { get; init; }
    public required int Training { get; init; }
    public required string Metric { get; init; }
    public required bool Maximise { get; init; }

    /// <summary>The best trial so far; null while none has a result.</summary>
    public int? BestTrial { get; init; }
    public double? BestValue { get; init; }
}

/// <summary>The metric of a trial at a rung.</summary>
public sealed record RungResult(long Step, double Value);

/// <summary>A trial.</summary>
public sealed record TrialView
{
    public required int Number { get; init; }

    /// <summary>The fields that it sets, by their paths.</summary>
    public required JsonElement Setting { get; init; }
    public required int Bracket { get; init; }

    /// <summary>The step of the rung that it is at or on its way to.</summary>
    public required long RungStep { get; init; }
    public required TrialStatus Status { get; init; }
    public required IReadOnlyList<RungResult> Results { get; init; }
    public Guid? RunId { get; init; }
    public long? RunNumber { get; init; }

    /// <summary>Steps that its run has trained.</summary>
    public long Step { get; init; }

    /// <summary>What was decided of it last, and why.</summary>
    public string? Decision { get; init; }
}

/// <summary>Something that a sweep decided.</summary>
public sealed record DecisionView(long Id, DateTimeOffset At, int? Trial, string Sentence);

/// <summary>GET /api/v1/sweeps/{sweep}.</summary>
public sealed record SweepDetail
{
    public required SweepSummary Summary { get; init; }

    /// <summary>As it was submitted.</summary>
    public required JsonElement Request { get; init; }

    /// <summary>Steps at which trials wait, the last a whole run's.</summary>
    public required IReadOnlyList<long> Rungs { get; init; }
    public required IReadOnlyList<TrialView> Trials { get; init; }

    /// <summary>The newest first, 1,000 at most.</summary>
    public required IReadOnlyList<DecisionView> Decisions { get; init; }

    /// <summary>Tokens of all trials up to the rungs that they reached or are sent to.</summary>
    public required long Tokens { get; init; }

    /// <summary>Of devices, spent so far.</summary>
    public required double Hours { get; init; }
}

/// <summary>POST /api/v1/sweeps/validate: what submitting would say, and what the sweep would be.</summary>
public sealed record SweepValidation
{
    public required IReadOnlyList<FieldError> Errors { get; init; }
    public int? Trials { get; init; }
    public IReadOnlyList<long>? Rungs { get; init; }

    /// <summary>When each rung lets through the share that it is to.</summary>
    public long? Tokens { get; init; }

    /// <summary>When every trial trained to its end.</summary>
    public long? TokensOfAll { get; init; }
}

/// <summary>What was done to a sweep.</summary>
public sealed record SweepAction(Guid Id, SweepStateName State);

/// <summary>GET /api/v1/sweeps/{sweep}/importance: permutation importance of a random forest over the trials' results, as docs/sweeps.md says.</summary>
public sealed record SweepImportance
{
    public required string Metric { get; init; }

    /// <summary>The rung whose results were taken.</summary>
    public required long Step { get; init; }

    /// <summary>How many trials have a result there.</summary>
    public required int Trials { get; init; }

    /// <summary>Share of the results' variance, by rank, that the forest tells of trials it did not see; near 0 or less = the fields tell nothing.</summary>
    public required double Explained { get; init; }

    /// <summary>What matters most first.</summary>
    public required IReadOnlyList<ImportantField> Fields { get; init; }
}

/// <param name="Field">Dotted path in the run spec.</param>
/// <param name="Importance">What shuffling the field adds to the forest's squared error, in variances of the results; about 0 for one that does nothing.</param>
/// <param name="Share">Of the sum over all fields.</param>
/// <param name="Trials">In how many of the trials the field counts.</param>
public sealed record ImportantField(string Field, double Importance, double Share, int Trials);
