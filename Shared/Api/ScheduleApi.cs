using System.Text.Json;

namespace Hearth.Api;

/// <summary>GET /api/v1/schedules: a run that is submitted by the clock.</summary>
public sealed record ScheduleView
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }

    /// <summary>The run's spec as it was given; read anew at each fire.</summary>
    public required JsonElement Spec { get; init; }

    /// <summary>Five fields: minute, hour, day, month, weekday.</summary>
    public required string Cron { get; init; }

    /// <summary>IANA name of the time zone that the fields are read in.</summary>
    public required string Zone { get; init; }

    /// <summary>No fire while a run of an earlier one has not ended.</summary>
    public required bool SkipWhileRunning { get; init; }
    public required bool Enabled { get; init; }
    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null while it is switched off.</summary>
    public DateTimeOffset? NextAt { get; init; }

    /// <summary>The last time that it was due and dealt with.</summary>
    public DateTimeOffset? LastFireAt { get; init; }

    /// <summary>What came of that, in one sentence.</summary>
    public string? LastResult { get; init; }

    /// <summary>The run that was submitted then, if one was.</summary>
    public Guid? LastRunId { get; init; }
}

/// <summary>POST /api/v1/schedules, PUT /api/v1/schedules/{schedule}.</summary>
/// <param name="Name">How people call it; one of its kind.</param>
/// <param name="Spec">Checked as a submission is.</param>
/// <param name="Cron">Five fields.</param>
/// <param name="Zone">IANA name; UTC when left out.</param>
/// <param name="SkipWhileRunning">True when left out.</param>
/// <param name="Enabled">True when left out.</param>
public sealed record SaveSchedule(string Name, JsonElement Spec, string Cron, string? Zone = null, bool? SkipWhileRunning = null, bool? Enabled = null);
