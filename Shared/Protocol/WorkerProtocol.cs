using Hearth.Hardware;
using Hearth.Runs;
using MessagePack;

namespace Hearth.Protocol;

/// <summary>POST /api/worker/join. The code is used once; the answer's token is the worker's only credential.</summary>
public sealed record JoinRequest(string Code, string Name, string AgentVersion, IReadOnlyList<DeviceInfo> Devices);

public sealed record JoinResponse(Guid WorkerId, string Name, string Token);

/// <summary>The fencing pair. Every write of an attempt carries it; a stale epoch is answered 409 and the attempt stops itself.</summary>
[MessagePackObject]
public sealed record Lease([property: Key(0)] Guid AttemptId, [property: Key(1)] long Epoch);

/// <summary>
/// POST /api/worker/sync: heartbeat, lease renewal and mailbox in one. The coordinator holds the answer up to
/// <see cref="WaitMilliseconds"/> until there is something new for this worker.
/// </summary>
public sealed record SyncRequest
{
    public required string AgentVersion { get; init; }

    /// <summary>Which start of the agent speaks; null = one from before there were sessions.</summary>
    public AgentSession? Session { get; init; }

    /// <summary>The time without an answer that ends with this report; null = there was none.</summary>
    public CutOff? CutOff { get; init; }

    /// <summary>What the coordinator refused for good since the last answer; null = nothing.</summary>
    public RefusedLetters? Refused { get; init; }
    public required IReadOnlyList<DeviceInfo> Devices { get; init; }
    public IReadOnlyList<DeviceReading> Readings { get; init; } = [];

    /// <summary>What of an assignment the agent carries out: <see cref="Assignment.Version"/> of its own day. Who leaves it out is from before there were versions.</summary>
    public int AssignmentVersion { get; init; } = 1;

    /// <summary>All live attempts of this worker; a live attempt that is missing here is lost.</summary>
    public IReadOnlyList<AttemptReport> Attempts { get; init; } = [];

    /// <summary>Ended attempts, repeated until <see cref="SyncResponse.Acknowledged"/> names them.</summary>
    public IReadOnlyList<AttemptEnd> Ended { get; init; } = [];

    /// <summary>Requests to checkpoints that this worker is at; one that it was at and that is missing here has failed.</summary>
    public IReadOnlyList<Guid> Generations { get; init; } = [];

    /// <summary>Memory of the host that nothing uses now; null = unknown.</summary>
    public long? HostFreeBytes { get; init; }
    public int WaitMilliseconds { get; init; } = 2000;

    /// <summary>Serial of the last answer seen, so that the coordinator need not repeat what is known.</summary>
    public long SeenSerial { get; init; }
}

/// <summary>One start of an agent. A worker has one at a time: a later one ends the earlier, which is answered 409 from then on.</summary>
/// <param name="Id">Drawn at the start.</param>
/// <param name="Report">Number of this report in the session, from 1; one that comes later than a higher one is answered 412 and changes nothing.</param>
/// <param name="Host">Name of the machine, for people.</param>
public sealed record AgentSession(Guid Id, long Report, string Host);

/// <summary>How long the coordinator was out of an agent's reach, and what it met instead; its trainers went on.</summary>
public sealed record CutOff(double Seconds, string Reason);

/// <summary>Batches that an agent has given up to send, since no repeat would be taken; they lie in its home.</summary>
/// <param name="Count">How many.</param>
/// <param name="Reason">What was said of the last one, and of which kind it is.</param>
public sealed record RefusedLetters(long Count, string Reason);

/// <param name="Lease">Which attempt.</param>
/// <param name="State">Assigned, Starting, Running or Stopping.</param>
/// <param name="What">While starting: what it is busy with.</param>
/// <param name="Fraction">While starting: 0..1.</param>
/// <param name="Step">Last finished step.</param>
public sealed record AttemptReport(Lease Lease, AttemptState State, string? What, double? Fraction, long Step);

/// <param name="Lease">Which attempt.</param>
/// <param name="Outcome">Succeeded, Failed, Stopped or Lost (the trainer was killed).</param>
/// <param name="Step">Last finished step.</param>
/// <param name="Trace">Trace hash at that step, 16 hex digits.</param>
/// <param name="FailureCode">See <see cref="FailureCodes"/>; null unless failed.</param>
/// <param name="Message">For people; null when there is nothing to say.</param>
public sealed record AttemptEnd(Lease Lease, AttemptState Outcome, long Step, string? Trace, string? FailureCode, string? Message)
{
    /// <summary>The most of its device's memory that its trainer held; null = not known.</summary>
    public long? PeakMemoryBytes { get; init; }
}

public sealed record SyncResponse
{
    public required long Serial { get; init; }
    public required DateTimeOffset ServerTime { get; init; }
    public required double LeaseSeconds { get; init; }

    /// <summary>Attempts that this worker is to run and has not reported yet.</summary>
    public IReadOnlyList<Assignment> Assignments { get; init; } = [];
    public IReadOnlyList<AttemptCommand> Commands { get; init; } = [];
    public IReadOnlyList<Guid> Acknowledged { get; init; } = [];

    /// <summary>Reported attempts whose epoch is over: kill them, send nothing more of theirs.</summary>
    public IReadOnlyList<Guid> Revoked { get; init; } = [];

    /// <summary>Requests to checkpoints that this worker is to answer and has not reported yet.</summary>
    public IReadOnlyList<GenerationAssignment> Generations { get; init; } = [];

    /// <summary>Reported ones that are over: stop computing, send nothing more of theirs.</summary>
    public IReadOnlyList<Guid> EndedGenerations { get; init; } = [];

    /// <summary>The worker is being drained: it keeps no model loaded that nobody asks.</summary>
    public bool Draining { get; init; }
}

public enum AttemptCommandKind
{
    /// <summary>Checkpoint, free the device, end. Repeated until the attempt reports Stopping.</summary>
    Stop,

    /// <summary>End at once; the run was cancelled.</summary>
    Kill,
    Checkpoint,
    Sample,
}

/// <param name="Id">Each id is obeyed once.</param>
public sealed record AttemptCommand(long Id, Guid AttemptId, AttemptCommandKind Kind, string? Prompt = null, int? MaxTokens = null, double? Temperature = null);

/// <summary>One placement of a run on a device of this worker.</summary>
public sealed record Assignment
{
    /// <summary>
    /// 2: with a checkpoint to begin with (<see cref="Start"/>) and a step to wait at (<see cref="PauseAtStep"/>). An agent that does not know them would train something else, so it is
    /// not given such a run; other runs it goes on with.
    /// </summary>
    public const int Version = 2;
    public required Lease Lease { get; init; }
    public required Guid RunId { get; init; }
    public required string RunName { get; init; }
    public required int Number { get; init; }
    public required RunSpec Spec { get; init; }
    public required int DeviceIndex { get; init; }

    /// <summary>Rows per micro-batch on this device; 0 = the trainer decides.</summary>
    public int MicroBatch { get; init; }

    /// <summary>Raw files of the dataset; empty when <see cref="Prepared"/> is set.</summary>
    public IReadOnlyList<BlobRef> Dataset { get; init; } = [];

    /// <summary>Files of the prepared dataset, once some worker has tokenised it.</summary>
    public IReadOnlyList<BlobRef>? Prepared { get; init; }
    public Guid? CheckpointId { get; init; }
    public IReadOnlyList<BlobRef>? Checkpoint { get; init; }

    /// <summary>Weights, config and tokenizer of the checkpoint that the run begins with; null where it begins with random weights, or goes on from <see cref="Checkpoint"/>.</summary>
    public IReadOnlyList<BlobRef>? Start { get; init; }

    /// <summary>The step at which the attempt ends with a checkpoint and the run waits; null = it trains to its last.</summary>
    public long? PauseAtStep { get; init; }
}

/// <summary>POST /api/worker/checkpoints: makes a checkpoint exist, if the epoch holds and all its blobs are stored.</summary>
public sealed record CheckpointCommit(Lease Lease, CheckpointManifest Manifest, double PauseSeconds, double WriteSeconds);

public sealed record CheckpointCommitted(Guid CheckpointId, IReadOnlyList<long> RemovedSteps);

/// <summary>POST /api/worker/checkpoints/failed and /unreadable. What cannot be read is checked by the coordinator; nothing is taken out of use on a worker's word.</summary>
public sealed record CheckpointProblem(Lease Lease, Guid? CheckpointId, long Step, string Reason);

/// <summary>POST /api/worker/prepared: publishes a tokenised dataset under its content key.</summary>
public sealed record PreparedCommit(Lease Lease, string Key, IReadOnlyList<FileRef> Files);
