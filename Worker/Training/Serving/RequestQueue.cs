using System.Collections.Concurrent;
using System.Text.Json;
using Hearth.Protocol;

namespace Hearth.Training.Serving;

/// <summary>A request that waits or is being answered.</summary>
public sealed record WaitingRequest(Guid Id, GenerationRequest Request, CancellationToken Cancelled);

/// <summary>
/// Requests as JSON lines of the input, taken one after the other; a cancelled one is passed over, or stops at its next token. The end of the
/// input cancels all.
/// </summary>
public sealed class RequestQueue(TextReader input, Action<string> warn)
{
    private readonly BlockingCollection<WaitingRequest> _waiting = [];
    private readonly ConcurrentDictionary<Guid, CancellationTokenSource> _open = new();

    /// <summary>Reads on a thread of its own that does not keep the process alive.</summary>
    public void Start() => new Thread(Read) { IsBackground = true, Name = "requests" }.Start();

    /// <summary>Requests in order, until the input has ended.</summary>
    public IEnumerable<WaitingRequest> Take() => _waiting.GetConsumingEnumerable();

    /// <summary>The request was answered or passed over.</summary>
    public void Over(Guid id)
    {
        if (_open.TryRemove(id, out var cancel))
        {
            cancel.Dispose();
        }
    }

    /// <summary>Reads until the input ends.</summary>
    public void Read()
    {
        try
        {
            while (input.ReadLine() is { } line)
            {
                Take(line);
            }
        }
        catch (IOException e)
        {
            warn($"standard input failed: {e.Message}");
        }
        finally
        {
            _waiting.CompleteAdding();
            foreach (Guid id in _open.Keys)
            {
                Cancel(id);
            }
        }
    }

    private void Take(string line)
    {
        ServeRequest? asked;
        try
        {
            asked = JsonSerializer.Deserialize<ServeRequest>(line, Json.Wire);
        }
        catch (JsonException e)
        {
            warn($"A line of the input is no request and was ignored: {e.Message}");
            return;
        }

        switch (asked)
        {
            case { Command: ServeRequest.Generate, Request: { } request }:
                var cancel = new CancellationTokenSource();
                if (_open.TryAdd(asked.Id, cancel))
                {
                    _waiting.Add(new WaitingRequest(asked.Id, request, cancel.Token));
                }

                break;
            case { Command: ServeRequest.Cancel }:
                Cancel(asked.Id);
                break;
            default:
                warn($"command is '{asked?.Command}'. Allowed: generate with a request, cancel.");
                break;
        }
    }

    private void Cancel(Guid id)
    {
        try
        {
            if (_open.TryGetValue(id, out var cancel))
            {
                cancel.Cancel();
            }
        }
        catch (ObjectDisposedException)
        {
            // Answered in the same moment.
        }
    }
}
