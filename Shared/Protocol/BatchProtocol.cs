using MessagePack;

namespace Hearth.Protocol;

/// <summary>
/// How batches of points and log lines travel. An agent sends MessagePack in LZ4 blocks to a coordinator whose version reads it, and JSON to one before;
/// people and scripts may send JSON to any. Numbers in <c>[Key]</c> are on wires and on disks: one that was given is never given again.
/// </summary>
public static class BatchFormat
{
    /// <summary>Content type of MessagePack.</summary>
    public const string MessagePack = "application/vnd.msgpack";

    /// <summary>Content type of JSON.</summary>
    public const string Json = "application/json";

    /// <summary>First version of the worker protocol that reads MessagePack.</summary>
    public const int Since = 3;

    /// <summary>What a coordinator of this version of the protocol is sent. Pure.</summary>
    public static string For(int coordinator) => coordinator >= Since ? MessagePack : Json;
}

/// <summary>POST /api/worker/metrics. Idempotent by (attempt, sequence).</summary>
[MessagePackObject]
public sealed record MetricsRequest(
    [property: Key(0)] Lease Lease, [property: Key(1)] long Sequence, [property: Key(2)] IReadOnlyList<MetricChunk> Chunks, [property: Key(3)] IReadOnlyList<SampleRecord> Samples);

/// <summary>Columnar points of one key; <see cref="Steps"/> ascending, same length as <see cref="Values"/> and <see cref="UnixMilliseconds"/>.</summary>
[MessagePackObject]
public sealed record MetricChunk(
    [property: Key(0)] string Key, [property: Key(1)] IReadOnlyList<long> Steps, [property: Key(2)] IReadOnlyList<float> Values, [property: Key(3)] IReadOnlyList<long> UnixMilliseconds);

[MessagePackObject]
public sealed record SampleRecord([property: Key(0)] long Step, [property: Key(1)] string Prompt, [property: Key(2)] string Text);

/// <summary>POST /api/worker/logs. Idempotent by (attempt, sequence).</summary>
[MessagePackObject]
public sealed record LogsRequest([property: Key(0)] Lease Lease, [property: Key(1)] long Sequence, [property: Key(2)] IReadOnlyList<LogLine> Lines);

[MessagePackObject]
public sealed record LogLine([property: Key(0)] DateTimeOffset At, [property: Key(1)] LogLevel Level, [property: Key(2)] string Text);
