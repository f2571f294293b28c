using System.Collections.Concurrent;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Agent;

/// <summary>
/// The heart of the agent: tells the coordinator what is, hears what to do, does it. One call is always under way; it is cut short
/// when there is news to tell. Attempts live on whatever becomes of the call.
/// </summary>
public sealed class AgentLoop(AttemptServices services, DeviceSet devices, TrainerCommandLine trainer)
{
    private static readonly TimeSpan RecentUse = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<Lease, (Attempt Attempt, Task Done)> _live = new();
    private readonly ConcurrentDictionary<Lease, AttemptEnd> _ended = new(services.Home.ReadEnds().ToDictionary(e => e.Lease));
    private readonly HashSet<Lease> _known = [];
    private readonly Outage _outage = new(services);
    private readonly GenerationDesk _desk = new(services, devices, trainer);
    private volatile TaskCompletionSource _news = NewSignal();
    private readonly Guid _session = Guid.NewGuid();
    private long _reports;
    private long _seenSerial;
    private bool _leaving;

    /// <summary>Runs until told to leave and all is reported, or the time for that is over.</summary>
    /// <exception cref="RefusedException">The worker was removed, or another agent has taken it over. Its trainers are dead by then.</exception>
    public async Task RunAsync(CancellationToken leave)
    {
        _desk.Ended = TrimCache;
        using var registration = leave.Register(Tell);
        using var deadline = new CancellationTokenSource();
        await Leftovers.SendAsync(services, leave);
        while (!_leaving || ((!_live.IsEmpty || (!_ended.IsEmpty && !_outage.IsOn)) && !deadline.IsCancellationRequested))
        {
            if (leave.IsCancellationRequested && !_leaving)
            {
                _leaving = true;
                services.Log.Info(_live.IsEmpty ? "leaving" : $"leaving: {_live.Count} attempts write their checkpoints first");
                deadline.CancelAfter(services.Timings.Shutdown);
                ForAll(a => a.Leave());
                _desk.LeaveAsync().Watch(services.Log, "letting models go");
                continue;
            }

            await CycleAsync(deadline.Token);
        }

        await EndAllAsync();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task CycleAsync(CancellationToken deadline)
    {
        // Taken before the request is made: what happens from here on cuts the call short.
        var news = _news = NewSignal();
        var request = Request();
        using var call = CancellationTokenSource.CreateLinkedTokenSource(deadline);
        var sync = services.Client.SyncAsync(request, call.Token);
        if (await Task.WhenAny(sync, news.Task) != sync)
        {
            await call.CancelAsync();
        }

        try
        {
            var answer = await sync;
            _outage.Over();
            services.Refused.Told(request.Refused);
            _seenSerial = answer.Serial;
            Obey(answer);
            if (answer is { Assignments.Count: 0, Commands.Count: 0, Acknowledged.Count: 0, Revoked.Count: 0, Generations.Count: 0, EndedGenerations.Count: 0 })
            {
                await PauseAsync(services.Timings.EmptyAnswer, news, deadline);
            }
        }
        catch (OperationCanceledException)
        {
            // News to tell, or time to go.
        }
        catch (CoordinatorException e) when (e.IsFenced)
        {
            await EndAllAsync();
            throw new RefusedException(e.IsRemoved ? $"{e.Message} To join again, remove {services.Home.Root} and start with a new --join code." : $"{e.Message} This one's home is {services.Home.Root}.");
        }
        catch (CoordinatorException e)
        {
            await PauseAsync(_outage.Pause(e), news, deadline);
        }
    }

    private SyncRequest Request()
    {
        var readings = devices.Read();
        foreach (var (attempt, _) in _live.Values)
        {
            if (readings.FirstOrDefault(r => r.Index == attempt.DeviceIndex) is { } reading)
            {
                attempt.Observe(reading);
            }
        }

        return new SyncRequest
        {
            AgentVersion = AgentInfo.Version,
            AssignmentVersion = Assignment.Version,
            Session = new AgentSession(_session, ++_reports, AgentInfo.Host),
            CutOff = _outage.Report,
            Refused = services.Refused.Report,

            // An agent that leaves offers only what is still in use, so that nothing new is placed on it.
            Devices = _leaving ? [.. devices.All.Where(d => _live.Values.Any(a => a.Attempt.DeviceIndex == d.Index))] : devices.All,
            Readings = readings,
            Attempts = [.. Speaking().Select(a => a.Report())],
            Ended = [.. _ended.Values],
            Generations = _desk.Live,
            HostFreeBytes = HostMemory.Read()?.FreeBytes,
            WaitMilliseconds = (int)services.Timings.SyncWait.TotalMilliseconds,
            SeenSerial = _seenSerial,
        };
    }

    private void Obey(SyncResponse answer)
    {
        _desk.Obey(answer);
        var view = new AgentView([.. Speaking().Select(a => a.View())], [.. _ended.Keys], _known);
        foreach (var action in SyncPlan.Decide(answer, view))
        {
            switch (action)
            {
                case AgentAction.Start start:
                    Start(start.Assignment);
                    break;
                case AgentAction.Forget forget:
                    _ended.TryRemove(forget.Lease, out _);
                    services.Home.ForgetEnd(forget.Lease);
                    AgentHome.Remove(services.Home.AttemptPath(forget.Lease), services.Log);
                    break;
                case AgentAction.Fence fence:
                    With(fence.Lease, null, a => a.Fence());
                    break;
                case AgentAction.Kill kill:
                    With(kill.Lease, kill.CommandId, a => a.Kill());
                    break;
                case AgentAction.Stop stop:
                    With(stop.Lease, stop.CommandId, a => a.Stop());
                    break;
                case AgentAction.Tell tell:
                    With(tell.Lease, tell.CommandId, a => a.Tell(tell.Command));
                    break;
            }
        }
    }

    private void With(Lease lease, long? commandId, Action<Attempt> act)
    {
        if (_live.TryGetValue(lease, out var live))
        {
            if (commandId is { } id)
            {
                live.Attempt.Obeyed(id);
            }

            act(live.Attempt);
        }
    }

    private void Start(Assignment assignment)
    {
        _known.Add(assignment.Lease);
        string? refusal = _leaving ? "the agent is leaving"
            : devices.All.All(d => d.Index != assignment.DeviceIndex) ? $"this worker has no device {assignment.DeviceIndex}"
            : null;
        if (refusal is not null)
        {
            Ended(new AttemptEnd(assignment.Lease, AttemptState.Lost, 0, null, null, refusal));
            Tell();
            return;
        }

        var device = devices.All.First(d => d.Index == assignment.DeviceIndex);
        var attempt = new Attempt(assignment, device, trainer, services) { Changed = Tell };
        var before = _live.Values.Where(a => a.Attempt.DeviceIndex == assignment.DeviceIndex).Select(a => a.Done).ToList();
        before.Add(_desk.MakeRoomAsync(device));
        _live[assignment.Lease] = (attempt, RunAsync(attempt, before));
        Tell();
    }

    /// <summary>A device is free only when what held it has ended: also an attempt that was fenced and is still dying, and loaded models.</summary>
    private async Task RunAsync(Attempt attempt, IReadOnlyList<Task> before)
    {
        await Task.WhenAll(before);
        await Task.Yield();
        AttemptEnd? end;
        try
        {
            end = await attempt.RunAsync();
        }
        catch (Exception e)
        {
            services.Log.Error($"{attempt.Lease.AttemptId:N}: {e}");
            end = new AttemptEnd(attempt.Lease, AttemptState.Lost, attempt.Report().Step, null, null, $"the agent failed: {e.Message}");
        }

        if (end is not null)
        {
            Ended(end);
        }

        _live.TryRemove(attempt.Lease, out _);
        TrimCache();

        Tell();
    }

    // What was asked for since the oldest live attempt began may be what it reads; a request to a checkpoint fetches within minutes.
    private void TrimCache()
    {
        var needed = _live.Values.Select(l => l.Attempt.Began).Append(DateTime.UtcNow - RecentUse).Min();
        try
        {
            CacheTrim.Apply(services.Home.CachePath, services.Home.PreparedPath, services.Options.CacheBytes, needed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            services.Log.Warn($"the cache could not be trimmed: {e.Message}");
        }
    }

    private void Ended(AttemptEnd end)
    {
        services.Log.Info($"{end.Lease.AttemptId:N}: {end.Outcome} at step {end.Step}{(end.Message is null ? "" : ": " + end.Message)}");
        _ended[end.Lease] = end;
        services.Home.NoteEnd(end, services.Log);
    }

    // One that was fenced may take a moment to die, but is not spoken of any more.
    private IEnumerable<Attempt> Speaking() => _live.Values.Select(a => a.Attempt).Where(a => !a.IsFenced);

    private void Tell() => _news.TrySetResult();

    private void ForAll(Action<Attempt> act)
    {
        foreach (var (attempt, _) in _live.Values)
        {
            act(attempt);
        }
    }

    private async Task EndAllAsync()
    {
        var done = _live.Values.Select(a => a.Done).ToList();
        ForAll(a => a.Kill());
        await Task.WhenAll(done);
        await _desk.LeaveAsync();
    }

    private static Task PauseAsync(TimeSpan pause, TaskCompletionSource news, CancellationToken deadline) =>
        Task.WhenAny(Task.Delay(pause, deadline), news.Task);
}
