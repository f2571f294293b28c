using System.Threading.Channels;

namespace Hearth.Agent;

/// <summary>
/// Numbered batches on their way to the coordinator. Each is appended to a file first and sent in order, again and again
/// until it is acknowledged; so an outage costs disk, not points, and the sequence number makes a repeat harmless.
/// </summary>
/// <typeparam name="T">What is gathered: a point or a log line.</typeparam>
public sealed class Outbox<T>
{
    private const int MostPerBatch = 4000;
    private const int LargeBacklog = 8;
    private const int MostKeptInMemory = 500;
    private readonly Channel<T> _items = Channel.CreateUnbounded<T>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Channel<Batch> _batches = Channel.CreateUnbounded<Batch>(new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly Func<long, IReadOnlyList<T>, byte[]> _encode;
    private readonly Func<ReadOnlyMemory<byte>, CancellationToken, Task> _send;
    private readonly AgentTimings _timings;
    private readonly AgentLog _log;
    private readonly DeadLetters _refused;
    private int _unsent;
    private int _inMemory;

    /// <param name="path">The append-only file; emptied whenever everything in it is acknowledged.</param>
    /// <param name="encode">(sequence from 1, items) to the request's JSON.</param>
    /// <param name="send">Posts one request.</param>
    /// <param name="timings">Gathering time and pauses between tries.</param>
    /// <param name="log">Where it is told that the disk is full.</param>
    /// <param name="refused">Takes batches that no repeat would bring in.</param>
    public Outbox(
        string path,
        Func<long, IReadOnlyList<T>, byte[]> encode,
        Func<ReadOnlyMemory<byte>, CancellationToken, Task> send,
        AgentTimings timings,
        AgentLog log,
        DeadLetters refused)
    {
        (_path, _encode, _send, _timings, _log, _refused) = (path, encode, send, timings, log, refused);
    }

    private sealed record Batch(long Sequence, long Offset, int Length, byte[]? Bytes);

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
        long sequence = 0;
        while (await _items.Reader.WaitToReadAsync(cancel))
        {
            // While the coordinator is away, fewer and larger batches keep the replay short.
            var gather = Volatile.Read(ref _unsent) > LargeBacklog ? _timings.Batch * 8 : _timings.Batch;
            await Task.WhenAny(Task.Delay(gather, cancel), _completed.Task);
            cancel.ThrowIfCancellationRequested();
            var items = new List<T>();
            while (items.Count < MostPerBatch && _items.Reader.TryRead(out var item))
            {
                items.Add(item);
            }

            if (items.Count > 0)
            {
                Append(++sequence, _encode(sequence, items));
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
                using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read);
                var offset = file.Position;
                file.Write(bytes);
                file.WriteByte((byte)'\n');
                file.Flush();
                Enqueue(new Batch(sequence, offset, bytes.Length, null));
            }
            catch (Exception e) when (_inMemory < MostKeptInMemory && e is (IOException or UnauthorizedAccessException))
            {
                _log.Warn($"{_path} cannot be written ({e.Message}); batch {sequence} is kept in memory");
                _inMemory++;
                Enqueue(new Batch(sequence, 0, bytes.Length, bytes));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _refused.Add(Path.GetFileNameWithoutExtension(_path), bytes, $"no room on this worker's disk ({e.Message}), and memory is full of batches too");
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
            if ((batch.Bytes ?? Read(batch)) is { } bytes)
            {
                await SendAsync(batch, bytes, cancel);
            }

            lock (_gate)
            {
                _unsent--;
                _inMemory -= batch.Bytes is null ? 0 : 1;
                if (_unsent == 0)
                {
                    Empty();
                }
            }
        }
    }

    // What stays costs room alone.
    private void Empty()
    {
        try
        {
            if (File.Exists(_path))
            {
                using var file = new FileStream(_path, FileMode.Truncate);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _log.Warn($"{_path} could not be emptied: {e.Message}");
        }
    }

    private byte[]? Read(Batch batch)
    {
        try
        {
            var bytes = new byte[batch.Length];
            using var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = batch.Offset;
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (IOException e)
        {
            _log.Error($"batch {batch.Sequence} of {_path} cannot be read again and is dropped: {e.Message}");
            return null;
        }
    }

    private async Task SendAsync(Batch batch, byte[] bytes, CancellationToken cancel)
    {
        for (int failures = 0, faults = 0; ;)
        {
            try
            {
                await _send(bytes, cancel);
                return;
            }
            catch (CoordinatorException e) when (e.IsFinal || (e.IsFault && ++faults >= _timings.FaultTries))
            {
                _refused.Add(Path.GetFileNameWithoutExtension(_path), bytes, $"batch {batch.Sequence}: {e.Message}");
                return;
            }
            catch (CoordinatorException e) when (!e.IsFenced)
            {
                await Task.Delay(_timings.Retry(++failures), cancel);
            }
        }
    }
}
