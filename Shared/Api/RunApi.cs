using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Api;

/// <summary>One page of a list; <see cref="Next"/> is the cursor of the following one, null on the last.</summary>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next, long Total);

/// <summary>POST /api/v1/runs, with an Idempotency-Key header. <see cref="Spec"/> is a run spec object.</summary>
public sealed record SubmitRun(JsonElement Spec);

/// <summary>POST /api/v1/runs/validate: what submitting would say, and where the run would fit.</summary>
public sealed record Validation(IReadOnlyList<FieldError> Errors, JsonElement? Resolved, ModelCost? Cost, IReadOnlyList<DeviceFit> Fits);

/// <summary>Forecast of a run's footprint.</summary>
public sealed record ModelCost(long Parameters, double FlopsPerToken, long Tokens, long MinimumBytes);

/// <param name="Device">Full name, <c>worker/index</c>.</param>
/// <param name="NeededBytes">Forecast at <see cref="MicroBatch"/> rows.</param>
/// <param name="Reason">One sentence when it does not fit, else empty.</param>
public sealed record DeviceFit(string Device, string DeviceModel, bool Fits, long NeededBytes, long TotalBytes, int MicroBatch, int Accumulation, string Reason);

/// <summary>A run as lists show it.</summary>
public sealed record RunSummary
{
    public required Guid Id { get; init; }

    /// <summary>Short number for people, shown as <c>r-17</c>.</summary>
    public required long Number { get; init; }
    public required string Name { get; init; }
    public required RunState State { get; init; }
    public required string Family { get; init; }
    public required string Size { get; init; }
    public required string Task { get; init; }
    public required string Dataset { get; init; }
    public required RunPriority Priority { get; init; }
    public required IReadOnlyList<string> Tags { get; init; }
    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public required long Step { get; init; }
    public required long TotalSteps { get; init; }
    public required long Tokens { get; init; }

    /// <summary>Of the last training step, in nats per token.</summary>
    public double? Loss { get; init; }

    /// <summary>Of the last evaluation, in nats per token.</summary>
    public double? ValidationLoss { get; init; }

    /// <summary>The same in bits per byte of text, which compares runs of different tokenizers.</summary>
    public double? ValidationBitsPerByte { get; init; }
    public double? TokensPerSecond { get; init; }

    /// <summary>Seconds to the end at the present speed; null when unknown.</summary>
    public double? SecondsLeft { get; init; }
    public string? Device { get; init; }
    public string? DeviceModel { get; init; }

    /// <summary>While starting: what it is busy with, and how far (0..1).</summary>
    public string? StartingWhat { get; init; }
    public double? StartingFraction { get; init; }

    /// <summary>Why it waits, or why it failed: one sentence.</summary>
    public string? Reason { get; init; }

    /// <summary>At most 60 smoothed loss values from start to now.</summary>
    public required IReadOnlyList<float> Sparkline { get; init; }
}

/// <summary>Everything of one run except its series.</summary>
public sealed record RunDetail
{
    public required RunSummary Summary { get; init; }
    public required JsonElement Spec { get; init; }
    public required IReadOnlyList<AttemptView> Attempts { get; init; }
    public required IReadOnlyList<CheckpointView> Checkpoints { get; init; }
    public required IReadOnlyList<RunNote> Notes { get; init; }

    /// <summary>Trace hash at the last reported step.</summary>
    public string? Trace { get; init; }
    public long? Parameters { get; init; }
}

public sealed record AttemptView
{
    public required Guid Id { get; init; }
    public required int Number { get; init; }
    public required AttemptState State { get; init; }
    public required long Epoch { get; init; }
    public required string Device { get; init; }
    public required string DeviceModel { get; init; }
    public required DateTimeOffset AssignedAt { get; init; }
    public DateTimeOffset? FirstHeartbeatAt { get; init; }
    public DateTimeOffset? FirstStepAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public required long FirstStep { get; init; }
    public required long LastStep { get; init; }

    /// <summary>What it was forecast to hold of its device's memory at most, as its trainer reports it; null for one of an older version.</summary>
    public long? ForecastBytes { get; init; }

    /// <summary>What it held at most; null while it trains, and where its trainer could not say.</summary>
    public long? PeakBytes { get; init; }
    public string? Trace { get; init; }
    public string? Message { get; init; }
}

public sealed record CheckpointView
{
    public required Guid Id { get; init; }
    public required long Step { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required long Bytes { get; init; }
    public required string Trace { get; init; }
    public required double PauseSeconds { get; init; }

    /// <summary><c>kept</c>; <c>missing</c> or <c>damaged</c>, as the coordinator found when it read the store; <c>quarantined</c>: whole, but attempts could not use it; <c>removed</c>.</summary>
    public required string Status { get; init; }
    public string? Note { get; init; }
    public required IReadOnlyList<FileRef> Files { get; init; }
}

/// <summary>Something that happened to a run, in words: resumed, moved, lost, checkpoint refused.</summary>
public sealed record RunNote(long Id, DateTimeOffset At, string Kind, string Text, long? Step);

/// <summary>GET /api/v1/runs/{id}/metrics?keys=&amp;from=&amp;to=&amp;points=.</summary>
public sealed record MetricsResponse(IReadOnlyList<MetricSeries> Series);

/// <summary>
/// Columns of equal length. Where there are more points than asked for, one entry is a bucket of steps aligned to
/// multiples of <see cref="BucketSteps"/>; else min = max = mean.
/// </summary>
public sealed record MetricSeries(
    string Key,
    long BucketSteps,
    IReadOnlyList<long> Steps,
    IReadOnlyList<long> UnixMilliseconds,
    IReadOnlyList<float> Mean,
    IReadOnlyList<float> Min,
    IReadOnlyList<float> Max);

/// <summary>GET /api/v1/runs/{id}/logs?after=&amp;limit=&amp;q=: lines with ascending ids.</summary>
public sealed record LogsResponse(IReadOnlyList<LogEntry> Lines, long? Next);

public sealed record LogEntry(long Id, int Attempt, DateTimeOffset At, LogLevel Level, string Text);

public sealed record SampleView(long Step, DateTimeOffset At, string Prompt, string Text);

/// <summary>Answers of cancel, pause, resume: the state after the request.</summary>
public sealed record RunAction(Guid Id, RunState State);
