using System.ComponentModel;
using System.Text.Json;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>
/// One placement of a run from its assignment to its end: bring the files, run the trainer, pass on what it says, say how it ended.
/// The four ways to end it early differ: <see cref="Stop"/> keeps the work, <see cref="Kill"/> drops it, <see cref="Fence"/> also
/// falls silent, and <see cref="Leave"/> is a stop that the agent's own end brings.
/// </summary>
public sealed class Attempt(Assignment assignment, DeviceInfo device, TrainerCommandLine command, AttemptServices services)
{
    private readonly Lock _gate = new();
    private readonly HashSet<long> _obeyed = [];
    private readonly AttemptProgress _progress = new();
    private readonly ErrorTail _errors = new();
    private readonly CancellationTokenSource _noStart = new();
    private readonly CancellationTokenSource _fence = new();
    private readonly CancellationTokenSource _drain = new();
    private AttemptOutput? _output;
    private TrainerProcess? _trainer;
    private int _stopAsked;
    private volatile bool _killed;
    private volatile bool _graceOver;
    private volatile bool _leaving;

    public Lease Lease => assignment.Lease;

    public int DeviceIndex => device.Index;

    /// <summary>Since when it may be reading what the cache holds.</summary>
    public DateTime Began { get; } = DateTime.UtcNow;

    /// <summary>Its epoch is over: nothing of it is sent any more.</summary>
    public bool IsFenced => _fence.IsCancellationRequested;

    /// <summary>Called when the coordinator should hear of a new state at once.</summary>
    public Action Changed { get; init; } = () => { };

    public AttemptReport Report() => _progress.Report(Lease, stopping: _stopAsked == 1);

    public AttemptView View() => new(Lease, Report().State, _obeyed);

    /// <summary>Notes the command so that a repeat does nothing.</summary>
    public void Obeyed(long commandId) => _obeyed.Add(commandId);

    /// <summary>Checkpoint, store it, end. A trainer that does not obey in time is killed.</summary>
    public void Stop()
    {
        if (Interlocked.Exchange(ref _stopAsked, 1) == 1)
        {
            return;
        }

        TrainerProcess? trainer;
        _noStart.Cancel();
        lock (_gate)
        {
            trainer = _trainer;
        }

        if (trainer is not null)
        {
            StopAsync(trainer).Watch(services.Log, $"{Lease.AttemptId:N}: stopping its trainer");
        }

        Changed();
    }

    /// <summary>As <see cref="Stop"/>, because the agent is told to leave.</summary>
    public void Leave()
    {
        _leaving = true;
        Stop();
    }

    /// <summary>Ends at once; the end is reported.</summary>
    public void Kill()
    {
        _killed = true;
        EndNow();
        _drain.CancelAfter(services.Timings.LostDrain);
    }

    /// <summary>The epoch is over: ends at once and sends nothing more.</summary>
    public void Fence()
    {
        _fence.Cancel();
        _drain.Cancel();
        EndNow();
    }

    public void Tell(TrainerCommand what)
    {
        if (_trainer is { } trainer)
        {
            trainer.SendAsync(what).Watch(services.Log, $"{Lease.AttemptId:N}: telling its trainer");
        }
    }

    public void Observe(DeviceReading reading)
    {
        // Before its first step a resumed attempt would overwrite a point of the one before it.
        if (_progress.HasStepped)
        {
            _output?.Observe(reading, _progress.Step, withMemory: !_progress.TellsMemory);
        }
    }

    /// <returns>How it ended; null when it was fenced and there is nothing to say.</returns>
    public async Task<AttemptEnd?> RunAsync()
    {
        string work = services.Home.AttemptPath(Lease);
        try
        {
            AgentHome.Remove(work, services.Log);
            Directory.CreateDirectory(work);
            return await RunInAsync(work);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return End(AttemptState.Lost, null, $"the worker's disk: {e.Message}");
        }
        catch (Win32Exception e)
        {
            return End(AttemptState.Lost, null, $"{command.Program} cannot be started: {e.Message}");
        }
        finally
        {
            // What could not be sent, the coordinator being away, is for the next agent.
            AgentHome.Remove(work, services.Log, keepSpool: !IsFenced);
        }
    }

    private async Task<AttemptEnd?> RunInAsync(string work)
    {
        var output = _output = new AttemptOutput(Lease, services, work) { Waits = Finishing };
        var sending = SendAsync(output);

        // What fails to send need not be computed: the run goes on sooner elsewhere. The fault is told below.
        _ = sending.ContinueWith(_ => EndNow(), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        var end = await PrepareAsync(work);
        var facts = end is null ? await TrainAsync(work, output) : null;
        if (facts is not null)
        {
            Finishing("storing what its trainer left");
        }

        output.Complete();
        AttemptEnd Outcome() => end ?? (facts is null
            ? End(AttemptState.Stopped, null, "stopped before its trainer began")
            : AttemptOutcome.Of(Lease, facts with { Unstored = output.Unstored }));
        if (facts is not { LastWord: not null, Killed: false })
        {
            // Should this agent not live to tell it, the next one does.
            services.Home.NoteEnd(Outcome(), services.Log);
            await Leftovers.PatienceAsync(sending, output, services, services.Timings.LongestDrain, _drain);
        }

        await sending;
        end = Outcome();
        if (end.FailureCode == FailureCodes.CorruptCheckpoint && assignment.CheckpointId is { } bad)
        {
            await ReportUnreadableAsync(bad, end.Message ?? "");
        }

        if (IsFenced)
        {
            services.Log.Info($"{Lease.AttemptId:N}: its epoch {Lease.Epoch} is over; stopped without a word");
            services.Home.ForgetEnd(Lease);
            return null;
        }

        return _leaving && end is { Outcome: AttemptState.Stopped, Message: null } ? end with { Message = "the agent was told to leave" } : end;
    }

    /// <summary>Sends until all is acknowledged, time is up, or the coordinator says that the epoch is over.</summary>
    private async Task SendAsync(AttemptOutput output)
    {
        try
        {
            await output.RunAsync(_drain.Token);
        }
        catch (CoordinatorException e) when (e.IsFenced)
        {
            services.Log.Warn($"{Lease.AttemptId:N}: {e.Message}");
            Fence();
        }
        catch (OperationCanceledException) when (_drain.IsCancellationRequested)
        {
            // Fenced, or the time that an end may wait is over.
        }
    }

    /// <returns>Null when the job file is there; else why there will be no trainer.</returns>
    private async Task<AttemptEnd?> PrepareAsync(string work)
    {
        try
        {
            var files = new JobFiles(services.Blobs, services.Home.PreparedPath, services.Options.Threads);
            await files.BuildAsync(assignment, device, work, _progress.Starting, _noStart.Token);
            return null;
        }
        catch (OperationCanceledException) when (_noStart.IsCancellationRequested)
        {
            return End(AttemptState.Stopped, null, _killed ? "ended at once on request" : "stopped before its trainer began");
        }
        catch (CheckpointUnreadableException e)
        {
            return End(AttemptState.Failed, FailureCodes.CorruptCheckpoint, e.Message);
        }
        catch (Exception e) when (e is CorruptBlobException or TransferException)
        {
            return End(AttemptState.Lost, null, e.Message);
        }
    }

    /// <returns>Null when a stop came before the trainer began.</returns>
    private async Task<ExitFacts?> TrainAsync(string work, AttemptOutput output)
    {
        long? killedBefore = services.OomKills.Read();
        using var trainer = StartTrainer(work, output);
        if (trainer is null)
        {
            return null;
        }

        services.Log.Info($"{Lease.AttemptId:N}: {assignment.RunName} on {device.Model}, trainer {trainer.Id}");
        int exit = await trainer.WaitAsync();
        lock (_gate)
        {
            _trainer = null;
        }

        return new ExitFacts
        {
            ExitCode = exit,
            LastWord = _progress.LastWord,
            Killed = _killed,
            GraceOver = _graceOver,
            HostWasFull = services.OomKills.Read() > killedBefore,
            OnCpu = device.Kind == DeviceKind.Cpu,
            Step = _progress.Step,
            Trace = _progress.Trace,
            ErrorTail = _errors.ToString(),
        };
    }

    private TrainerProcess? StartTrainer(string work, AttemptOutput output)
    {
        // Under the gate: a stop that comes meanwhile either sees the trainer or is seen here.
        lock (_gate)
        {
            return _noStart.IsCancellationRequested
                ? null
                : _trainer = TrainerProcess.Start(command, ["run", "--job", Path.Combine(work, "job.json")], work, JobFiles.Environment(device), line => Take(line, output), line => TakeError(line, output));
        }
    }

    private void Take(string line, AttemptOutput output)
    {
        try
        {
            if (JsonSerializer.Deserialize<TrainerEvent>(line, Json.Wire) is { } happened)
            {
                if (happened is PreparedEvent { Path: var used })
                {
                    services.Home.Touch(used);
                }

                output.Take(happened);
                if (_progress.Take(happened))
                {
                    Changed();
                }
            }
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            output.Log(LogLevel.Warning, $"The trainer printed what is no event: {line}");
        }
    }

    private void TakeError(string line, AttemptOutput output)
    {
        _errors.Add(line);
        output.Log(LogLevel.Warning, line);
    }

    private async Task StopAsync(TrainerProcess trainer)
    {
        await trainer.SendAsync(new TrainerCommand("stop"));
        await Task.Delay(services.Timings.StopGrace, _fence.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        lock (_gate)
        {
            if (_trainer == trainer)
            {
                _graceOver = true;
                trainer.Kill();
            }
        }
    }

    // The trainer is gone; whoever looks at the run is to see what holds its end up.
    private void Finishing(string what)
    {
        _progress.Finishing(what);
        Changed();
    }

    // First no trainer may start, then the one that did is killed: no order of the two threads leaves one running.
    private void EndNow()
    {
        _noStart.Cancel();
        lock (_gate)
        {
            _trainer?.Kill();
        }
    }

    /// <summary>Tells which checkpoint this attempt could not use, so that the coordinator reads it before the run goes on.</summary>
    private async Task ReportUnreadableAsync(Guid checkpoint, string reason)
    {
        var problem = new CheckpointProblem(Lease, checkpoint, 0, reason);
        for (int failures = 0; ;)
        {
            try
            {
                await services.Client.PostAsync("api/worker/checkpoints/unreadable", problem, _fence.Token);
                return;
            }
            catch (CoordinatorException e) when ((e.IsTransient || e.IsOutage) && !_killed)
            {
                await Task.Delay(services.Timings.Retry(++failures), _fence.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }
            catch (CoordinatorException e)
            {
                services.Log.Warn($"{Lease.AttemptId:N}: the unreadable checkpoint could not be reported: {e.Message}");
                return;
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private AttemptEnd End(AttemptState outcome, string? code, string? message) => new(Lease, outcome, _progress.Step, _progress.Trace, code, message);
}
