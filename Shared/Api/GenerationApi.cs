using System.Text.Json.Serialization;
using Hearth.Protocol;

namespace Hearth.Api;

/// <summary>POST /api/v1/generations: what to ask which checkpoint.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record StartGeneration : GenerationRequest
{
    public required Guid CheckpointId { get; init; }
}

public enum GenerationState
{
    /// <summary>Placed; no token yet.</summary>
    Waiting,
    Running,
    Done,
    Failed,
    Stopped,
}

/// <summary>A request to a checkpoint, without its text.</summary>
public sealed record GenerationView
{
    public required Guid Id { get; init; }
    public required GenerationState State { get; init; }
    public required Guid CheckpointId { get; init; }
    public required Guid RunId { get; init; }
    public required string RunName { get; init; }
    public required long Step { get; init; }

    /// <summary>Full name of the device, <c>worker/index</c>, or <c>worker/cpu</c> for a host's processor beside training.</summary>
    public required string Device { get; init; }

    /// <summary>It shares the processor with whatever trains there.</summary>
    public required bool BesideTraining { get; init; }
    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Why it failed or was stopped: one sentence.</summary>
    public string? Reason { get; init; }
    public GenerationStatistics? Statistics { get; init; }
}

/// <summary>GET /api/v1/checkpoints: one that may be asked, with what its model can do.</summary>
public sealed record CheckpointChoice
{
    public required Guid Id { get; init; }
    public required Guid RunId { get; init; }
    public required long RunNumber { get; init; }
    public required string RunName { get; init; }
    public required string Task { get; init; }
    public required string Family { get; init; }
    public required string Size { get; init; }
    public required string Title { get; init; }
    public required long Parameters { get; init; }
    public required int MaxSeqLen { get; init; }
    public required long Step { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Most loops of a looped model: halt_threshold applies; 1 = it has no loop.</summary>
    public required int Loops { get; init; }

    /// <summary>Most tokens that its heads draft: speculative applies; 0 = it has none.</summary>
    public required int Drafts { get; init; }

    /// <summary>It has a memory between texts: keep_memory and freeze_memory apply.</summary>
    public required bool Memory { get; init; }
}
