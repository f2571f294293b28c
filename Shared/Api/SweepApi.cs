using System.Text.Json;

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
    /// <summary>Name of a series of the runs; val_loss when left out.</summary>
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
