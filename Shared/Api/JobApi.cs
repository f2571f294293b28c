namespace Hearth.Api;

/// <summary>GET /api/v1/jobs: a piece of housekeeping, when it is done and what came of it last.</summary>
public sealed record JobView
{
    public required string Name { get; init; }

    /// <summary>What it is for, in one sentence.</summary>
    public required string Does { get; init; }

    /// <summary>Cron in five fields, in UTC.</summary>
    public required string Schedule { get; init; }
    public required DateTimeOffset NextAt { get; init; }

    /// <summary>Since when it is at work on one of the coordinators; null when on none.</summary>
    public DateTimeOffset? RunningSince { get; init; }

    /// <summary>When the last turn that came to its end began; null before the first.</summary>
    public DateTimeOffset? LastStartedAt { get; init; }
    public double? LastSeconds { get; init; }

    /// <summary>What it did, or why it could not, in one sentence.</summary>
    public string? LastResult { get; init; }
    public bool LastFailed { get; init; }
}
