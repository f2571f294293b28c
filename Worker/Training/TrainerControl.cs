using System.Collections.Concurrent;
using Hearth.Protocol;

namespace Hearth.Training;

/// <summary>
/// What the outside asks of a running trainer. Written by the command reader and by signals, read by the trainer's thread at
/// every micro-step, validation batch and sampled token, and many times a second while data is prepared.
/// </summary>
public class TrainerControl : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<TrainerCommand> _samples = new();
    private readonly Lock _gate = new();
    private bool _disposed;
    private int _checkpoint;
    private volatile string? _reason;

    /// <summary>True once a stop was asked for; never false again.</summary>
    public virtual bool StopRequested => _stop.IsCancellationRequested;

    /// <summary>The stop as a token, for code that takes one.</summary>
    public virtual CancellationToken StopToken => _stop.Token;

    /// <summary>Why the stop came, for the log.</summary>
    public string StopReason => _reason ?? "";

    /// <summary>Asks for a stop; nothing where the run is over.</summary>
    public void Stop(string reason)
    {
        // The command reader's thread sees the end of its input whenever it comes, and that may be after the run.
        lock (_gate)
        {
            if (!_disposed)
            {
                _reason ??= reason;
                _stop.Cancel();
            }
        }
    }

    public void AskForCheckpoint() => Interlocked.Exchange(ref _checkpoint, 1);

    public void AskForSample(TrainerCommand command) => _samples.Enqueue(command);

    /// <summary>True once per request, however often it was asked for in between.</summary>
    public bool TakeCheckpointRequest() => Interlocked.Exchange(ref _checkpoint, 0) == 1;

    public TrainerCommand? TakeSampleRequest() => _samples.TryDequeue(out var command) ? command : null;

    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public void ThrowIfStopped()
    {
        if (StopRequested)
        {
            throw new OperationCanceledException("A stop was asked for.", StopToken);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _stop.Dispose();
        }

        GC.SuppressFinalize(this);
    }
}
