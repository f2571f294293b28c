using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// The events of one request on their way to the coordinator: numbered from 1, in order, the first at once and the others in batches. A batch is
/// sent again until it is taken in; when the coordinator says that the request is over, nothing more is sent.
/// </summary>
public sealed class GenerationOutput(Guid id, AttemptServices services)
{
    private const int MostPerBatch = 1000;
    private readonly Channel<GenerationEvent> _events = Channel.CreateUnbounded<GenerationEvent>(new UnboundedChannelOptions { SingleReader = true });

    public void Add(GenerationEvent happened)
    {
        _events.Writer.TryWrite(happened);
        if (happened.IsLast)
        {
            _events.Writer.TryComplete();
        }
    }

    /// <summary>Sends until the last event is taken in.</summary>
    /// <returns>False when the coordinator said that the request is over.</returns>
    /// <exception cref="OperationCanceledException">Nobody wants to hear it any more.</exception>
    public async Task<bool> RunAsync(CancellationToken cancel)
    {
        long next = 1;
        var since = new Stopwatch();
        while (await _events.Reader.WaitToReadAsync(cancel))
        {
            if (since.IsRunning && services.Timings.TokenBatch - since.Elapsed is { Ticks: > 0 } left)
            {
                await Task.WhenAny(Task.Delay(left, cancel), _events.Reader.Completion);
            }

            var batch = new List<GenerationEvent>();
            while (batch.Count < MostPerBatch && _events.Reader.TryRead(out var happened))
            {
                batch.Add(happened);
            }

            since.Restart();
            if (!await SendAsync(new GenerationBatch(next, batch), cancel))
            {
                return false;
            }

            next += batch.Count;
        }

        return true;
    }

    private async Task<bool> SendAsync(GenerationBatch batch, CancellationToken cancel)
    {
        for (int failures = 0, faults = 0; ;)
        {
            try
            {
                await services.Client.PostAsync($"api/worker/generations/{id}", batch, cancel);
                return true;
            }
            catch (CoordinatorException e) when ((e.IsFinal || (e.IsFault && ++faults >= services.Timings.FaultTries)) && batch.Events is not [GenerationFailed])
            {
                // Nothing can follow a gap in the numbers, so the request ends in its place, in words.
                services.Refused.Add("answer", JsonSerializer.SerializeToUtf8Bytes(batch, Json.Wire), e.Message);
                await SendAsync(new GenerationBatch(batch.First, [new GenerationFailed(GenerationFailed.Lost, $"The coordinator did not take the answer: {e.Message}")]), cancel);
                return false;
            }
            catch (CoordinatorException e) when (e.IsOutage || (e.IsTransient && faults < services.Timings.FaultTries))
            {
                await Task.Delay(services.Timings.Retry(++failures), cancel);
            }
            catch (CoordinatorException e)
            {
                services.Log.Info($"request {id:N}: {e.Message}");
                return false;
            }
        }
    }
}
