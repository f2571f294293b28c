namespace Hearth.Agent;

/// <summary>What every attempt of an agent shares.</summary>
public sealed record AttemptServices(
    CoordinatorClient Client,
    BlobStore Blobs,
    AgentHome Home,
    AgentOptions Options,
    AgentTimings Timings,
    AgentLog Log,
    DeadLetters Refused)
{
    /// <summary>The kernel's count of what it killed for memory.</summary>
    public OomKills OomKills { get; init; } = new();
}
