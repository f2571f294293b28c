using System.ComponentModel;
using System.Text.Json;
using Hearth.Hardware;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>Which model, and where: the index of a device, or null for the host's processor.</summary>
public sealed record ServingKey(Guid CheckpointId, int? DeviceIndex);

/// <summary>
/// One loaded model: a trainer that answers requests from a checkpoint, one after the other. It is there from the first request until nobody has asked
/// for a while, its device is needed, or the trainer ends.
/// </summary>
public sealed class ModelServer : IDisposable
{
    private readonly ServingKey _key;
    private readonly DeviceInfo? _device;
    private readonly TrainerCommandLine _command;
    private readonly AttemptServices _services;
    private readonly Timer _idle;
    private readonly Dictionary<Guid, GenerationJob> _open = [];
    private readonly CancellationTokenSource _end = new();
    private readonly ErrorTail _errors = new();
    private readonly Lock _gate = new();
    private TrainerProcess? _trainer;
    private GenerationFailed? _over;
    private bool _answered;
    private long _asked;

    /// <param name="key">Which.</param>
    /// <param name="device">Null = the host's processor.</param>
    /// <param name="command">The trainer.</param>
    /// <param name="services">Shared with attempts.</param>
    public ModelServer(ServingKey key, DeviceInfo? device, TrainerCommandLine command, AttemptServices services)
    {
        (_key, _device, _command, _services) = (key, device, command, services);
        _idle = new Timer(_ => EndIfIdle("The model was let go: nobody had asked it for a while."));
    }

    public ServingKey Key => _key;

    /// <summary>Whether it holds requests.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                return _open.Count == 0;
            }
        }
    }

    /// <summary>Forecast of its memory: of the largest request so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>When it was last asked: of two, the one with the larger number.</summary>
    public long LastAsked => Volatile.Read(ref _asked);

    /// <returns>False when it has ended and another has to be started.</returns>
    public bool TryAsk(GenerationJob job, long order)
    {
        lock (_gate)
        {
            if (_over is not null)
            {
                return false;
            }

            _asked = order;
            Bytes = Math.Max(Bytes, job.Assignment.Bytes);
            _idle.Change(Timeout.Infinite, Timeout.Infinite);
            _open[job.Assignment.Id] = job;
            job.Warm = _answered;
            if (_trainer is { } trainer)
            {
                Send(trainer, job);
            }

            return true;
        }
    }

    /// <summary>Stops computing a request. What it said so far is not taken back.</summary>
    public void Cancel(Guid id)
    {
        lock (_gate)
        {
            if (_open.Remove(id) && _trainer is { } trainer)
            {
                _ = trainer.SendAsync(new ServeRequest(ServeRequest.Cancel, id));
            }
        }

        LetGoWhenIdle();
    }

    /// <summary>Ends it unless somebody asks it.</summary>
    public void EndIfIdle(string reason)
    {
        lock (_gate)
        {
            if (_open.Count == 0)
            {
                End(reason);
            }
        }
    }

    /// <summary>Ends it now; open requests fail with the reason.</summary>
    public void End(string reason)
    {
        lock (_gate)
        {
            if (_over is null)
            {
                _over = new GenerationFailed(GenerationFailed.Lost, reason);
                _trainer?.Kill();
                _end.Cancel();
            }
        }
    }

    public void Dispose()
    {
        _idle.Dispose();
        _end.Dispose();
    }

    /// <summary>Brings the files, runs the trainer, and fails what is open when it ends.</summary>
    public async Task RunAsync(IReadOnlyList<BlobRef> files)
    {
        string folder = Path.Combine(_services.Home.ServingPath, Guid.NewGuid().ToString("N"));
        GenerationFailed failed;
        try
        {
            failed = await ServeAsync(files, folder);
        }
        catch (Exception e) when (e is CorruptBlobException or TransferException or IOException or UnauthorizedAccessException or Win32Exception)
        {
            failed = new GenerationFailed(GenerationFailed.Lost, $"The model cannot be loaded here: {e.Message}");
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            failed = new GenerationFailed(GenerationFailed.Lost, "The model was let go.");
        }
        catch (Exception e)
        {
            // Whatever it was, nobody is to wait for an answer that will not come.
            _services.Log.Error($"checkpoint {_key.CheckpointId:N}: {e}");
            failed = new GenerationFailed(GenerationFailed.Lost, $"The worker failed: {e.Message}");
        }

        List<GenerationJob> left;
        lock (_gate)
        {
            failed = _over ??= failed;
            left = [.. _open.Values];
            _open.Clear();
        }

        left.ForEach(job => job.Take(failed));
        AgentHome.Remove(folder, _services.Log);
    }

    private async Task<GenerationFailed> ServeAsync(IReadOnlyList<BlobRef> files, string folder)
    {
        Directory.CreateDirectory(folder);
        string checkpoint = await new BlobFolder(_services.Blobs).FetchAsync(files, Path.Combine(folder, "checkpoint"), f => Busy("fetching the checkpoint", f), _end.Token);
        Busy("loading the model", 0);
        var kind = _device?.Kind ?? DeviceKind.Cpu;
        string[] arguments =
        [
            "serve", "--checkpoint", checkpoint, "--device", JobFiles.TorchDevice(kind),
            "--threads", _services.Options.Threads.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ];
        using var trainer = Start(arguments, folder);
        if (trainer is null)
        {
            return new GenerationFailed(GenerationFailed.Lost, "The model was let go.");
        }

        _services.Log.Info($"checkpoint {_key.CheckpointId:N} is loaded on {_device?.Model ?? "the host's processor"}, trainer {trainer.Id}");
        int exit = await trainer.WaitAsync();
        lock (_gate)
        {
            _trainer = null;
            _over ??= Failure(exit);
        }

        _services.Log.Info($"checkpoint {_key.CheckpointId:N} is loaded no more, exit code {exit}");
        return _over;
    }

    // Under the gate: an end that comes meanwhile either sees the trainer or is seen here.
    private TrainerProcess? Start(string[] arguments, string folder)
    {
        lock (_gate)
        {
            if (_over is not null)
            {
                return null;
            }

            _trainer = TrainerProcess.Start(_command, arguments, folder, JobFiles.Environment(_device ?? new DeviceInfo(0, DeviceKind.Cpu, "", "", 0)), Take, _errors.Add);
            foreach (var job in _open.Values)
            {
                Send(_trainer, job);
            }

            return _trainer;
        }
    }

    private GenerationFailed Failure(int exit)
    {
        string tail = _errors.ToString();
        var end = AttemptOutcome.Of(new Lease(Guid.Empty, 0), new ExitFacts { ExitCode = exit, ErrorTail = tail });
        return new GenerationFailed(end.FailureCode ?? GenerationFailed.Lost, end.Message ?? "The trainer ended.");
    }

    private void Take(string line)
    {
        ServeLine? said;
        try
        {
            said = JsonSerializer.Deserialize<ServeLine>(line, Json.Wire);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            _services.Log.Warn($"the trainer printed what is no event: {line}");
            return;
        }

        GenerationJob? job;
        lock (_gate)
        {
            _answered = true;
            job = said is null ? null : _open.GetValueOrDefault(said.Id);
        }

        if (job is not null && job.Take(said!.Event))
        {
            lock (_gate)
            {
                _open.Remove(said.Id);
            }

            LetGoWhenIdle();
        }
    }

    private void Busy(string what, double fraction)
    {
        List<GenerationJob> waiting;
        lock (_gate)
        {
            waiting = [.. _open.Values];
        }

        waiting.ForEach(job => job.Busy(what, fraction));
    }

    private void LetGoWhenIdle()
    {
        lock (_gate)
        {
            if (_open.Count == 0 && _over is null)
            {
                _idle.Change(_services.Timings.ModelIdle, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private static void Send(TrainerProcess trainer, GenerationJob job) =>
        _ = trainer.SendAsync(new ServeRequest(ServeRequest.Generate, job.Assignment.Id, job.Assignment.Request));
}
