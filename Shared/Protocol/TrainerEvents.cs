using System.Text.Json.Serialization;
using Hearth.Runs;

namespace Hearth.Protocol;

/// <summary>Everything one attempt's trainer needs, as one JSON file. No address, token or credential is in it.</summary>
public sealed record TrainerJob
{
    public required RunSpec Spec { get; init; }

    /// <summary>Raw dataset: one file or folder. Read only when <see cref="PreparedPath"/> is null.</summary>
    public string? DatasetPath { get; init; }

    /// <summary>Folder of a prepared dataset (tokenizer, shards, manifest).</summary>
    public string? PreparedPath { get; init; }

    /// <summary>Where prepared datasets are kept between runs.</summary>
    public required string CachePath { get; init; }

    /// <summary>Folder of this attempt: checkpoints are written under <c>checkpoints/step-NNNNNNNNN</c>.</summary>
    public required string WorkPath { get; init; }

    /// <summary>Folder of the checkpoint to go on from; null = from the start.</summary>
    public string? ResumePath { get; init; }

    /// <summary>Folder of the checkpoint or exported model that <see cref="RunSpec.StartFrom"/> names; read where nothing is resumed.</summary>
    public string? StartPath { get; init; }

    /// <summary><c>cpu</c> or <c>cuda:N</c>.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Rows per micro-batch chosen for this device; 0 = the spec's, else the checkpoint's, else as many as the device's free memory holds.</summary>
    public int MicroBatch { get; init; }

    /// <summary>Compute threads; 0 = libtorch's default. Part of what makes a CPU trace bit-equal.</summary>
    public int Threads { get; init; }

    /// <summary>The step at which the trainer evaluates, writes its checkpoint and stops, before the run's last; null = none.</summary>
    public long? PauseAtStep { get; init; }
}

/// <summary>One JSON line on the trainer's standard output.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "event")]
[JsonDerivedType(typeof(StartingEvent), "starting")]
[JsonDerivedType(typeof(PreparedEvent), "prepared")]
[JsonDerivedType(typeof(StartedEvent), "started")]
[JsonDerivedType(typeof(StepEvent), "step")]
[JsonDerivedType(typeof(SkippedEvent), "skipped")]
[JsonDerivedType(typeof(EvalEvent), "eval")]
[JsonDerivedType(typeof(SampleEvent), "sample")]
[JsonDerivedType(typeof(CheckpointEvent), "checkpoint")]
[JsonDerivedType(typeof(CheckpointFailedEvent), "checkpoint_failed")]
[JsonDerivedType(typeof(LogEvent), "log")]
[JsonDerivedType(typeof(DoneEvent), "done")]
[JsonDerivedType(typeof(StoppedEvent), "stopped")]
[JsonDerivedType(typeof(FailedEvent), "failed")]
public abstract record TrainerEvent
{
    /// <summary>When it happened, UTC.</summary>
    public DateTimeOffset At { get; init; } = DateTimeOffset.UtcNow;
}

/// <summary>What the trainer is busy with before its first step; fraction in 0..1.</summary>
public sealed record StartingEvent(string What, double Fraction) : TrainerEvent;

/// <summary>The raw dataset was tokenised; the agent uploads the folder so that no other worker has to.</summary>
public sealed record PreparedEvent(string Path, string Key) : TrainerEvent;

/// <summary>The model is built and the first step is next. <see cref="Trace"/> is the trace hash carried over.</summary>
public sealed record StartedEvent(long Step, long TotalSteps, long Parameters, string Trace, string Device, int MicroBatch, int Accumulation) : TrainerEvent
{
    /// <summary>Whether all steps, those before this start too, are ones that another run repeats to the bit.</summary>
    public bool Exact { get; init; } = true;
}

/// <summary>One optimizer step. Loss in nats per token; <see cref="Tokens"/> counts from the run's start.</summary>
public sealed record StepEvent(
    long Step,
    double Loss,
    double Lr,
    double GradNorm,
    double TokensPerSecond,
    double StepSeconds,
    long Tokens,
    long? MemoryBytes,
    string Trace) : TrainerEvent;

/// <summary>A step whose loss or gradient was not finite: it counts, its rows are read, and the weights stay as they were.</summary>
/// <param name="Skipped">Such steps since the run's start.</param>
/// <param name="What">The step's numbers, a sentence.</param>
public sealed record SkippedEvent(long Step, long Skipped, string What, string Trace) : TrainerEvent;

/// <summary>Validation loss in nats per token over fixed rows.</summary>
public sealed record EvalEvent(long Step, double Loss, double Seconds) : TrainerEvent
{
    /// <summary>The loss in bits per byte of text, among <see cref="Terms"/>.</summary>
    public const string BitsPerByte = "bits_per_byte";

    /// <summary>The loss of the weights themselves, among <see cref="Terms"/> where the run keeps an average of them.</summary>
    public const string Raw = "raw";

    /// <summary>
    /// Means over the same rows that the model's family reports beside the loss, by name, <see cref="BitsPerByte"/> and <see cref="Raw"/>. Absent where there
    /// is none.
    /// </summary>
    public IReadOnlyDictionary<string, double>? Terms { get; init; }
}

public sealed record SampleEvent(long Step, string Prompt, string Text) : TrainerEvent;

/// <summary>A checkpoint folder is complete on local disk, manifest last.</summary>
/// <param name="PauseSeconds">How long training stood still for the snapshot.</param>
public sealed record CheckpointEvent(long Step, string Path, string Trace, double PauseSeconds, double WriteSeconds) : TrainerEvent;

/// <summary>A checkpoint could not be written (a full disk, say). Training goes on.</summary>
public sealed record CheckpointFailedEvent(long Step, string Reason) : TrainerEvent;

public sealed record LogEvent(LogLevel Level, string Text) : TrainerEvent;

/// <summary>The last that an attempt's trainer says.</summary>
public abstract record LastEvent : TrainerEvent
{
    /// <summary>The most of its device's memory that the attempt held; null = not known.</summary>
    public long? PeakMemoryBytes { get; init; }
}

/// <summary>All steps done, last checkpoint written.</summary>
public sealed record DoneEvent(long Step, string Trace, double? FinalLoss, double? ValidationLoss) : LastEvent
{
    /// <summary>Steps of the run that were skipped.</summary>
    public long Skipped { get; init; }

    /// <summary>From the attempt's first step, or its resume, to here.</summary>
    public double Seconds { get; init; }
}

/// <summary>Obeyed <c>stop</c>: the checkpoint of <see cref="Step"/> is on disk, or there was none to write.</summary>
public sealed record StoppedEvent(long Step, string Trace) : LastEvent;

/// <param name="Code">See <see cref="FailureCodes"/>.</param>
public sealed record FailedEvent(string Code, string Message, long Step) : LastEvent;

public enum LogLevel
{
    Debug,
    Info,
    Warning,
    Error,
}

/// <summary>Why a trainer failed; decides whether and how the run is tried again.</summary>
public static class FailureCodes
{
    public const string OutOfMemory = "out_of_memory";

    /// <summary>Memory of the host ran out under a trainer on its processor, which its kernel killed before it could say so.</summary>
    public const string HostOutOfMemory = "host_out_of_memory";
    public const string NotFinite = "not_finite";
    public const string BadInput = "bad_input";
    public const string CorruptCheckpoint = "corrupt_checkpoint";
    public const string Crashed = "crashed";

    /// <summary>No room on the worker's disk: its machine's failure, not the run's.</summary>
    public const string DiskFull = "disk_full";
}

/// <summary>One JSON line on the trainer's standard input: <c>{"command":"stop"}</c>, <c>checkpoint</c> or <c>sample</c>.</summary>
public sealed record TrainerCommand(string Command, string? Prompt = null, int? MaxTokens = null, double? Temperature = null);

/// <summary>The last file written into a checkpoint folder, <c>manifest.json</c>: without it there is no checkpoint.</summary>
public sealed record CheckpointManifest
{
    public int Format { get; init; } = 1;
    public required long Step { get; init; }
    public required long Tokens { get; init; }
    public required string Trace { get; init; }
    public required string TokenizerSha256 { get; init; }
    public required IReadOnlyList<FileRef> Files { get; init; }
}

/// <summary>A file by content.</summary>
public sealed record FileRef(string Name, string Sha256, long Bytes);
