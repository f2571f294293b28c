using System.Text.Json;
using Hearth.Protocol;
using Hearth.Tokenizers;
using Hearth.Training.Protocol;

namespace Hearth.Training.Checkpoints;

/// <summary>What goes into a checkpoint: the state and texts by value, the tensors as they lie in host memory.</summary>
/// <param name="State">Becomes <c>state.json</c>.</param>
/// <param name="Config"><c>config.json</c>: model and run spec.</param>
/// <param name="Tokenizer">Its file goes along under its own name.</param>
/// <param name="WriteWeights">Streams <c>weights.safetensors</c>.</param>
/// <param name="WriteOptimizer">Streams <c>optimizer.safetensors</c>.</param>
/// <param name="WriteAverage">Streams <c>ema.safetensors</c>; null where the run keeps no average.</param>
/// <param name="PauseSeconds">How long training stood still for the copy.</param>
public sealed record CheckpointContent(
    TrainState State,
    byte[] Config,
    ITokenizer Tokenizer,
    Action<Stream> WriteWeights,
    Action<Stream> WriteOptimizer,
    Action<Stream>? WriteAverage,
    double PauseSeconds)
{
    /// <summary>Everything but the manifest.</summary>
    internal IReadOnlyList<CheckpointFile> Files =>
    [
        new(CheckpointFolder.WeightsName, WriteWeights),
        new(CheckpointFolder.OptimizerName, WriteOptimizer),
        new(CheckpointFolder.StateName, s => JsonSerializer.Serialize(s, State, Json.Pretty)),
        new(CheckpointFolder.ConfigName, s => s.Write(Config)),
        new(Tokenizer.FileName, s => s.Write(Tokenizer.File)),
        .. WriteAverage is { } average ? [new(CheckpointFolder.AverageName, average)] : Array.Empty<CheckpointFile>(),
    ];

    internal CheckpointManifest Manifest(IReadOnlyList<FileRef> files) => new()
    {
        Step = State.Step,
        Tokens = State.Tokens,
        Trace = State.Trace,
        TokenizerSha256 = Tokenizer.Sha256,
        Files = files,
    };
}

/// <summary>
/// Writes one checkpoint at a time on its own thread. The trainer calls <see cref="Wait"/> before it takes the next
/// snapshot, so there is one set of host buffers and writes never pile up behind a slow disk.
/// </summary>
public sealed class CheckpointWriter(string root, IEventSink sink, TimeProvider clock, Func<string, Stream>? open = null)
{
    private Thread? _thread;
    private volatile CheckpointPlace? _last;

    /// <summary>Newest complete checkpoint that this run may go back to; null when there is none yet.</summary>
    public CheckpointPlace? Last => _last;

    /// <summary>Why the newest one could not be written; null when it was.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Complete checkpoints to keep; 0 leaves the choice to somebody else (the agent, after its upload).</summary>
    public int KeepLast { get; init; }

    /// <summary>Says what the run was resumed from.</summary>
    public void StartFrom(CheckpointPlace place) => _last = place;

    /// <summary>Starts writing; the content must stay as it is until <see cref="Wait"/> returns.</summary>
    public void Begin(CheckpointContent content)
    {
        Wait();
        _thread = new Thread(() => Write(content)) { Name = "checkpoint" };
        _thread.Start();
    }

    /// <summary>Waits until nothing is being written.</summary>
    public void Wait()
    {
        _thread?.Join();
        _thread = null;
    }

    private void Write(CheckpointContent content)
    {
        long began = clock.GetTimestamp();
        var state = content.State;
        try
        {
            string path = CheckpointFolder.Write(root, state.Step, content.Files, content.Manifest, open);
            _last = new CheckpointPlace(path, state.Step, state.Trace);
            Failure = null;
            sink.Emit(new CheckpointEvent(state.Step, path, state.Trace, content.PauseSeconds, clock.GetElapsedTime(began).TotalSeconds));
            if (KeepLast > 0)
            {
                CheckpointFolder.Prune(root, KeepLast);
            }
        }
        catch (Exception e)
        {
            // Whatever went wrong in here must not take training down with it: it has lost a checkpoint, not its place.
            Failure = e;
            sink.Emit(new CheckpointFailedEvent(state.Step, $"{root}: {e.Message}"));
        }
    }
}

/// <summary>A complete checkpoint on this disk.</summary>
public sealed record CheckpointPlace(string Path, long Step, string Trace);
