using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Api;

/// <summary>What curves of several runs are drawn over.</summary>
public enum CompareAxis
{
    Step,

    /// <summary>Tokens trained.</summary>
    Tokens,

    /// <summary>Seconds of attempts' training; time in the queue and while starting does not count.</summary>
    Time,

    /// <summary>Watt-hours, as the device measures its power.</summary>
    Energy,
}

/// <summary>GET /api/v1/compare?runs=&amp;metric=&amp;axis=.</summary>
public sealed record Comparison
{
    public required string Metric { get; init; }

    /// <summary>Whether more of the metric is better.</summary>
    public required bool Maximise { get; init; }
    public required CompareAxis Axis { get; init; }

    /// <summary>Every series that one of the runs has.</summary>
    public required IReadOnlyList<string> Metrics { get; init; }

    /// <summary>In the order in which they were named.</summary>
    public required IReadOnlyList<ComparedRun> Runs { get; init; }

    /// <summary>Fields of the run specs and models that are not the same in all runs.</summary>
    public required IReadOnlyList<FieldDifference> Differences { get; init; }

    /// <summary>What to mind, in sentences.</summary>
    public required IReadOnlyList<string> Notes { get; init; }
}

/// <param name="Field">Dotted path in the run spec.</param>
/// <param name="Values">One a run; null where a run has no such field.</param>
public sealed record FieldDifference(string Field, IReadOnlyList<JsonElement?> Values);

/// <summary>A run beside others.</summary>
public sealed record ComparedRun
{
    public required Guid Id { get; init; }
    public required long Number { get; init; }
    public required string Name { get; init; }
    public required RunState State { get; init; }
    public required long Step { get; init; }
    public required long TotalSteps { get; init; }
    public required long Tokens { get; init; }

    /// <summary>Of attempts' training.</summary>
    public required double Seconds { get; init; }

    /// <summary>Null where the device does not measure its power.</summary>
    public double? WattHours { get; init; }

    /// <summary>Null while the metric has no number.</summary>
    public BestValue? Best { get; init; }

    /// <summary>The lowest validation loss; null while there is none.</summary>
    public double? NatsPerToken { get; init; }

    /// <summary>The lowest of the held-out text; null for a run that does not report it.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>The kept checkpoint that is nearest to the best value; null when none is kept.</summary>
    public NearestCheckpoint? Checkpoint { get; init; }

    /// <summary>SHA-256 of the tokenizer's file; null while no checkpoint tells it.</summary>
    public string? Tokenizer { get; init; }
    public required ComparedCurve Curve { get; init; }
}

/// <summary>The best value of a metric and where it was.</summary>
public sealed record BestValue(long Step, double Value);

/// <param name="Id">Of the checkpoint.</param>
/// <param name="Step">Of the checkpoint.</param>
/// <param name="Where"><c>at</c> the best value, <c>before</c> or <c>after</c> it.</param>
public sealed record NearestCheckpoint(Guid Id, long Step, string Where);

/// <summary>Columns of equal length; empty where the run has no such series, or nothing that tells the axis.</summary>
public sealed record ComparedCurve(long BucketSteps, IReadOnlyList<double> At, IReadOnlyList<long> Steps, IReadOnlyList<float> Mean, IReadOnlyList<float> Min, IReadOnlyList<float> Max);
