using System.Threading.Channels;

namespace Hearth.Agent;

/// <summary>
/// Numbered batches on their way to the coordinator. Each is put on disk first (<see cref="Spool"/>) and sent in order, again and again until it is
/// acknowledged; so an outage or a crash costs disk, not points, and the sequence number makes a repeat harmless.
/// </summary>
/// <typeparam name="T">What is gathered: a point or a log line.</typeparam>
public sealed class Outbox<T>
{
    private const int MostPerBatch = 4000;

    // A body of a coordinator may have 16 MiB; a character takes up to three bytes.
    private const int MostCharacters = 4 << 20;
    private const int LargeBacklog = 8;
    private const int MostKeptInMemory = 500;
    private readonly Channel<T> _items = Channel.CreateUnbounded<T>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<Batch> _batches = Channel.CreateUnbounded<Batch>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly Spool _spool;
    private readonly Func<long, IReadOnlyList<T>, byte[]> _encode;
    private readonly Func<ReadOnlyMemory<byte>, CancellationToken, Task> _send;
    private readonly AgentTimings _timings;
    private readonly AgentLog _log;
    private readonly DeadLetters _refused;
    private long _sequence;
    private long _sent;
    private int _unsent;
    private int _inMemory;

    /// <param name="folder">Of its spool. What lies there already is sent first, under the numbers that it has.</param>
    /// <param name="encode">(sequence from 1, items) to the request's bytes.</param>
    /// <param name="send">Posts one request.</param>
    /// <param name="timings">Gathering time and pauses between tries.</param>
    /// <param name="log">Where it is told that the disk is full.</param>
    /// <param name="refused">Takes batches that no repeat would bring in.</param>
    public Outbox(
        string folder,
        Func<long, IReadOnlyList<T>, byte[]> encode,
        Func<ReadOnlyMemory<byte>, CancellationToken, Task> send,
        AgentTimings timings,
        AgentLog log,
        DeadLetters refused)
    {
        (_folder, _spool, _encode, _send, _timings, _log, _refused) = (folder, new Spool(folder), encode, send, timings, log, refused);
        foreach (long number in _spool.Numbers)
        {
            _sequence = number;
            Enqueue(new Batch(number, null));
        }
    }

    /// <summary>Characters of an item, where they may be many.</summary>
    public Func<T, int> Characters { get; init; } = _ => 0;

    private sealed record Batch(long Sequence, byte[]? Bytes);

    /// <summary>Batches that were acknowledged.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    // Of the stream, for whoever finds a batch that was refused.
    private string Kind => Path.GetFileName(_folder);

    public void Add(T item) => _items.Writer.TryWrite(item);

    /// <summary>No more items will come; <see cref="RunAsync"/> returns once all is acknowledged.</summary>
    public void Complete()
    {
        _items.Writer.TryComplete();
        _completed.TrySetResult();
    }

    /// <summary>Gathers and sends until completed. Throws the <see cref="CoordinatorException"/> of a fenced epoch.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var gather = GatherAsync(either.Token);
        var send = SendAllAsync(either.Token);
        if (await Task.WhenAny(gather, send) == send)
        {
            // Sending ends first only when it was refused for good; nothing need be gathered then.
            await either.CancelAsync();
        }

        await Task.WhenAll(gather, send);
    }

    private async Task GatherAsync(CancellationToken cancel)
    {
        while (await _items.Reader.WaitToReadAsync(cancel))
        {
            // While the coordinator is away, fewer and larger batches keep the replay short.
            var gather = Volatile.Read(ref _unsent) > LargeBacklog ? _timings.Batch * 8 : _timings.Batch;
            await Task.WhenAny(Task.Delay(gather, cancel), _completed.Task);
            cancel.ThrowIfCancellationRequested();
            var items = new List<T>();
            int characters = 0;
            while (items.Count < MostPerBatch && characters < MostCharacters && _items.Reader.TryRead(out var item))
            {
                items.Add(item);
                characters += Characters(item);
            }

            if (items.Count > 0)
            {
                Append(++_sequence, _encode(_sequence, items));
            }
        }

        _batches.Writer.Complete();
    }

    private void Append(long sequence, byte[] bytes)
    {
        lock (_gate)
        {
            try
            {
                if (_spool.Add(sequence, bytes) is { Count: > 0 } gone)
                {
                    _log.Error($"{_folder} is full of batches that nobody took; {gone.Count} from batch {gone[0]} on are dropped");
                }

                Enqueue(new Batch(sequence, null));
            }
            catch (Exception e) when (_inMemory < MostKeptInMemory && e is (IOException or UnauthorizedAccessException))
            {
                _log.Warn($"{_folder} cannot be written ({e.Message}); batch {sequence} is kept in memory");
                _inMemory++;
                Enqueue(new Batch(sequence, bytes));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _refused.Add(Kind, bytes, $"no room on this worker's disk ({e.Message}), and memory is full of batches too");
            }
        }
    }

    private void Enqueue(Batch batch)
    {
        _unsent++;
        _batches.Writer.TryWrite(batch);
    }

    private async Task SendAllAsync(CancellationToken cancel)
    {
        await foreach (var batch in _batches.Reader.ReadAllAsync(cancel))
        {
            if ((batch.Bytes ?? _spool.Read(batch.Sequence)) is { } bytes)
            {
                await SendAsync(batch, bytes, cancel);
            }
            else
            {
                _log.Error($"batch {batch.Sequence} of {_folder} is not there any more");
            }

            lock (_gate)
            {
                _unsent--;
                _inMemory -= batch.Bytes is null ? 0 : 1;
            }

            Forget(batch.Sequence);
        }
    }

    // What stays costs room alone, and a repeat is harmless.
    private void Forget(long number)
    {
        try
        {
            _spool.Remove(number);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.Warn($"batch {number} could not be removed from {_folder}: {e.Message}");
        }
    }

    private async Task SendAsync(Batch batch, byte[] bytes, CancellationToken cancel)
    {
        for (int failures = 0, faults = 0; ;)
        {
            try
            {
                await _send(bytes, cancel);
                Interlocked.Increment(ref _sent);
                return;
            }
            catch (CoordinatorException e) when (e.IsFinal || (e.IsFault && ++faults >= _timings.FaultTries))
            {
                _refused.Add(Kind, bytes, $"batch {batch.Sequence}: {e.Message}");
                return;
            }
            catch (CoordinatorException e) when (!e.IsFenced)
            {
                await Task.Delay(_timings.Retry(++failures), cancel);
            }
        }
    }
}
