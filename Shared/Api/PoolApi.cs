using System.Text.Json;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Api;

public sealed record WorkerView
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required string AgentVersion { get; init; }

    /// <summary>True while its heartbeat is younger than one lease.</summary>
    public required bool Online { get; init; }
    public required DateTimeOffset JoinedAt { get; init; }
    public required DateTimeOffset SeenAt { get; init; }
    public required bool Draining { get; init; }

    /// <summary>Why its device list is set aside and it takes no runs; null when all is well.</summary>
    public string? Problem { get; init; }

    /// <summary>What last went wrong between the worker and the pool and is over; null when nothing did.</summary>
    public string? Note { get; init; }

    /// <summary>When <see cref="Note"/> was made.</summary>
    public DateTimeOffset? NotedAt { get; init; }
    public required IReadOnlyList<DeviceView> Devices { get; init; }
}

public sealed record DeviceView
{
    public required string Name { get; init; }
    public required DeviceInfo Info { get; init; }
    public DeviceReading? Reading { get; init; }
    public Guid? RunId { get; init; }
    public string? RunName { get; init; }
    public double? TokensPerSecond { get; init; }
    public double? Progress { get; init; }
}

/// <summary>POST /api/v1/workers/join-codes: a code that one worker may use within its life time.</summary>
public sealed record JoinCodeView(string Code, DateTimeOffset ExpiresAt, string Command);

public sealed record FamilyView(string Name, string Title, string Summary, IReadOnlyList<SizeView> Sizes, IReadOnlyList<ModelFieldView> Fields);

/// <param name="Name">As <c>model.size</c> takes it.</param>
/// <param name="Parameters">Trainable values.</param>
/// <param name="MaxSeqLen">Longest row, in tokens.</param>
/// <param name="VocabSize">Tokens of the vocabulary.</param>
/// <param name="Values">What every field of the family is in this size.</param>
public sealed record SizeView(string Name, long Parameters, int MaxSeqLen, int VocabSize, IReadOnlyDictionary<string, JsonElement> Values);

/// <summary>A field that may stand under <c>model:</c>.</summary>
public sealed record ModelFieldView(string Name, string Kind, string Help, string Allowed, IReadOnlyList<string>? Choices);

/// <summary>GET /api/v1/models: what the submit form needs to know.</summary>
public sealed record ModelsResponse(IReadOnlyList<FamilyView> Families, IReadOnlyList<FieldRuleView> Fields, IReadOnlyList<PresetView> Presets);

/// <param name="DefaultTenthOf">Path of a whole number, a tenth of which <paramref name="Default"/> is at most.</param>
public sealed record FieldRuleView(string Path, FieldKind Kind, string Help, string Allowed, IReadOnlyList<string>? Choices, object? Default, string? DefaultTenthOf);

/// <summary>A family's recipe for one of its sizes: a whole run whose dataset is still empty.</summary>
public sealed record PresetView(string Name, string Title, string Summary, RunSpec Spec);

/// <summary>GET /api/v1/me.</summary>
public sealed record MeView(string Name, string Role, string Pool, string Version);

public sealed record CreateToken(string Name, string Role, int? DaysValid);

/// <summary>The secret is shown here once and stored hashed.</summary>
public sealed record TokenView(Guid Id, string Name, string Role, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, string? Secret);

/// <summary>Server-sent event of /api/v1/events; the SSE event name is <see cref="Kind"/>, its id resumes the stream.</summary>
/// <param name="Kind"><c>run</c> (a RunSummary), <c>progress</c> (a RunSummary while training), <c>worker</c> (a WorkerView), <c>note</c>, <c>checkpoint</c>, <c>log</c>, <c>ping</c>.</param>
public sealed record StreamEvent(long Id, string Kind, Guid? RunId, object Data);
