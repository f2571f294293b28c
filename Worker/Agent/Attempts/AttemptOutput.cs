using Hearth.Hardware;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>Everything of one attempt that goes to the coordinator, except its end: points, samples, log lines, checkpoints, prepared data.</summary>
public sealed class AttemptOutput
{
    private const int LongestLine = 8000;
    private readonly Outbox<MetricItem> _metrics;
    private readonly Outbox<LogLine> _logs;
    private readonly Uploader _uploads;
    private readonly Lease _lease;
    private readonly AgentLog _log;
    private bool _refusalTold;
    private long _observedStep = -1;

    /// <param name="lease">Under which all is sent.</param>
    /// <param name="services">Ways and means.</param>
    /// <param name="work">The attempt's folder; the buffers lie in it.</param>
    public AttemptOutput(Lease lease, AttemptServices services, string work)
    {
        Outbox<TItem> Box<TItem, TBatch>(string name, Func<long, IReadOnlyList<TItem>, TBatch> batch, Func<TItem, int> characters) => new(
            Path.Combine(AgentHome.SpoolPath(work), name),
            (sequence, items) => BatchCodec.Encode(batch(sequence, items)),
            async (bytes, cancel) => Tell(await services.Client.PostBatchAsync<TBatch>($"api/worker/{name}", bytes, cancel)),
            services.Timings,
            services.Log,
            services.Refused)
        {
            Characters = characters,
        };
        (_lease, _log) = (lease, services.Log);
        _metrics = Box<MetricItem, MetricsRequest>("metrics", (sequence, items) => MetricPoints.Request(lease, sequence, items), i => (i.Sample?.Prompt.Length + i.Sample?.Text.Length) ?? 0);
        _logs = Box<LogLine, LogsRequest>("logs", (sequence, items) => new LogsRequest(lease, sequence, items), l => l.Text.Length);
        _uploads = new Uploader(lease, services, work, Log) { Waits = what => Waits(what) };
    }

    /// <summary>Called with what the end of the attempt waits for, where it does.</summary>
    public Action<string> Waits { get; init; } = _ => { };

    /// <summary>Why the newest checkpoint could not be stored; null when it was, or none came.</summary>
    public string? Unstored => _uploads.Unstored;

    /// <summary>Batches of points and lines that were acknowledged.</summary>
    public long Sent => _metrics.Sent + _logs.Sent;

    public void Take(TrainerEvent happened)
    {
        foreach (var item in MetricPoints.Of(happened))
        {
            _metrics.Add(item);
        }

        if (EventLines.Of(happened) is { } line)
        {
            Log(LogLevel.Info, line, happened.At);
        }

        switch (happened)
        {
            case CheckpointEvent e:
                _uploads.Add(e);
                break;
            case CheckpointFailedEvent e:
                Log(LogLevel.Error, $"The checkpoint of step {e.Step} could not be written: {e.Reason}", e.At);
                _uploads.Add(e);
                break;
            case PreparedEvent e:
                _uploads.Add(e);
                break;
            case LogEvent e:
                Log(e.Level, e.Text, e.At);
                break;
            case SkippedEvent e:
                Log(LogLevel.Warning, $"{e.What} Skipped; {e.Skipped} so far.", e.At);
                break;
            case FailedEvent e:
                Log(LogLevel.Error, e.Message, e.At);
                break;
        }
    }

    /// <summary>Adds the device's readings at a step, once per step.</summary>
    public void Observe(DeviceReading reading, long step, bool withMemory)
    {
        if (step <= 0 || step == _observedStep)
        {
            return;
        }

        _observedStep = step;
        foreach (var item in MetricPoints.Of(reading, step, withMemory, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()))
        {
            _metrics.Add(item);
        }
    }

    public void Log(LogLevel level, string text) => Log(level, text, DateTimeOffset.UtcNow);

    /// <summary>Sends until <see cref="Complete"/> and all is acknowledged. Throws the <see cref="CoordinatorException"/> of a fenced epoch.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var uploads = _uploads.RunAsync(either.Token);
        List<Task> open = [_metrics.RunAsync(either.Token), _logs.RunAsync(either.Token), uploads];
        while (open.Count > 0)
        {
            var ended = await Task.WhenAny(open);
            open.Remove(ended);
            if (ended == uploads)
            {
                // What the uploads had to say is in the boxes by now.
                _metrics.Complete();
                _logs.Complete();
            }

            if (!ended.IsCompletedSuccessfully)
            {
                await either.CancelAsync();
                await Task.WhenAll(open).ContinueWith(_ => { }, TaskScheduler.Default);
                await ended;
            }
        }
    }

    /// <summary>Nothing more will come.</summary>
    public void Complete() => _uploads.Complete();

    // Once says enough: what a clock or a trainer gets wrong, it gets wrong in batch after batch.
    private void Tell(MetricsTaken? taken)
    {
        if (taken is { Refused: > 0 } && !_refusalTold)
        {
            _refusalTold = true;
            string what = $"The coordinator refused {taken.Refused} of the {taken.Taken + taken.Refused} points and samples of a batch, and took the others; later refusals are not told. {string.Join(' ', taken.Reasons)}";
            _log.Warn($"{_lease.AttemptId:N}: {what}");
            Log(LogLevel.Warning, what);
        }
    }

    private void Log(LogLevel level, string text, DateTimeOffset at) =>
        _logs.Add(new LogLine(at, level, text.Length > LongestLine ? text[..LongestLine] + "…" : text));
}
