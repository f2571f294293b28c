using System.Collections.Concurrent;
using Hearth.Hardware;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>
/// The requests that this worker answers and the models that it keeps loaded for them. Training comes first: a run that takes a device
/// ends the models on it.
/// </summary>
public sealed class GenerationDesk(AttemptServices services, DeviceSet devices, TrainerCommandLine trainer)
{
    // Two side by side is what a page asks for; more would fill a device with models that nobody looks at.
    private const int MostPerPlace = 2;

    // The coordinator places by the same share.
    private const double UsableShare = 0.92;
    private readonly ConcurrentDictionary<Guid, (GenerationJob Job, Task Done)> _live = new();
    private readonly Dictionary<ServingKey, (ModelServer Server, Task Done)> _servers = [];
    private readonly HashSet<Guid> _known = [];
    private readonly Lock _gate = new();
    private long _asked;
    private bool _leaving;

    /// <summary>Called when a request has ended.</summary>
    public Action Ended { get; set; } = () => { };

    /// <summary>Requests that it is at.</summary>
    public IReadOnlyList<Guid> Live => [.. _live.Where(l => !l.Value.Job.Over.IsCancellationRequested).Select(l => l.Key)];

    /// <summary>Does what an answer of the coordinator says of requests. A repeated assignment starts nothing twice.</summary>
    public void Obey(SyncResponse answer)
    {
        foreach (var over in answer.EndedGenerations)
        {
            End(over);
        }

        foreach (var assignment in answer.Generations.Where(g => _known.Add(g.Id)))
        {
            var job = new GenerationJob(assignment, services);
            var run = Task.Run(() => RunAsync(job));
            run.Watch(services.Log, $"request {assignment.Id:N}");
            _live[assignment.Id] = (job, run);
        }

        if (answer.Draining)
        {
            Each(server => server.EndIfIdle("The worker is being drained."));
        }
    }

    /// <summary>A run takes a device: a GPU is emptied, beside a processor only models that nobody asks go.</summary>
    /// <returns>Completes when the models' processes have ended.</returns>
    public Task MakeRoomAsync(DeviceInfo device)
    {
        const string Reason = "Its device was given to a run. Send it again.";
        List<(ModelServer Server, Task Done)> there;
        lock (_gate)
        {
            there = [.. _servers.Where(s => s.Key.DeviceIndex == device.Index).Select(s => s.Value)];
        }

        foreach (var (server, _) in there)
        {
            if (device.Kind == DeviceKind.Cpu)
            {
                server.EndIfIdle(Reason);
            }
            else
            {
                server.End(Reason);
            }
        }

        return device.Kind == DeviceKind.Cpu ? Task.CompletedTask : Task.WhenAll(there.Select(s => s.Done));
    }

    /// <summary>Fails what is open and ends all models.</summary>
    /// <returns>Completes when nothing runs any more and what could be told was told, at most so long after.</returns>
    public async Task LeaveAsync()
    {
        List<Task> ended;
        lock (_gate)
        {
            _leaving = true;
            ended = [.. _servers.Values.Select(s => s.Done)];
        }

        Each(server => server.End("Its worker is leaving the pool."));
        var told = _live.Values.Select(l => l.Done).ToList();
        await Task.WhenAll(ended);
        await Task.WhenAny(Task.WhenAll(told), Task.Delay(services.Timings.LostDrain));
        foreach (var (job, _) in _live.Values)
        {
            job.Silence();
        }
    }

    private void End(Guid id)
    {
        if (_live.TryGetValue(id, out var live))
        {
            live.Job.Silence();
            Each(server => server.Cancel(id));
        }
    }

    private async Task RunAsync(GenerationJob job)
    {
        var id = job.Assignment.Id;
        try
        {
            Ask(job);
            if (!await job.SendAsync())
            {
                Each(server => server.Cancel(id));
            }
        }
        finally
        {
            _live.TryRemove(id, out _);
            Ended();
        }
    }

    private void Ask(GenerationJob job)
    {
        var key = new ServingKey(job.Assignment.CheckpointId, job.Assignment.DeviceIndex);
        var device = key.DeviceIndex is { } index ? devices.All.FirstOrDefault(d => d.Index == index) : null;
        lock (_gate)
        {
            if (_leaving || (key.DeviceIndex is not null && device is null))
            {
                job.Take(new GenerationFailed(GenerationFailed.Lost, _leaving ? "Its worker is leaving the pool." : $"This worker has no device {key.DeviceIndex}."));
                return;
            }

            long order = ++_asked;
            if (_servers.TryGetValue(key, out var running) && running.Server.TryAsk(job, order))
            {
                return;
            }

            var before = MakePlace(key, job.Assignment.Bytes, device);
            var server = new ModelServer(key, device, trainer, services);
            server.TryAsk(job, order);
            var serve = Task.Run(() => ServeAsync(server, job.Assignment.Files, before));
            serve.Watch(services.Log, $"checkpoint {key.CheckpointId:N}");
            _servers[key] = (server, serve);
        }
    }

    // Idle models go, the one asked longest ago first, until the new one has its place and its memory. Those that answer stay: the
    // coordinator counted on them.
    private Task MakePlace(ServingKey key, long bytes, DeviceInfo? device)
    {
        var there = _servers.Where(s => s.Key.DeviceIndex == key.DeviceIndex).Select(s => s.Value).OrderBy(s => s.Server.LastAsked).ToList();
        var gone = there.Where(s => s.Server.Key == key).Select(s => s.Done).ToList();
        there.RemoveAll(s => s.Server.Key == key);
        double usable = device is null ? double.PositiveInfinity : device.MemoryBytes * UsableShare;
        foreach (var (server, done) in there.Where(s => s.Server.IsIdle).ToList())
        {
            if (there.Count < MostPerPlace && there.Sum(s => s.Server.Bytes) + bytes <= usable)
            {
                break;
            }

            server.EndIfIdle("Another model took its place.");
            gone.Add(done);
            there.RemoveAll(s => s.Server == server);
        }

        return Task.WhenAll(gone);
    }

    private async Task ServeAsync(ModelServer server, IReadOnlyList<BlobRef> files, Task before)
    {
        try
        {
            // Their memory is free once their processes have ended.
            await before;
            await server.RunAsync(files);
        }
        finally
        {
            lock (_gate)
            {
                if (_servers.TryGetValue(server.Key, out var mine) && mine.Server == server)
                {
                    _servers.Remove(server.Key);
                }

                server.Dispose();
            }
        }
    }

    private void Each(Action<ModelServer> act)
    {
        List<ModelServer> all;
        lock (_gate)
        {
            all = [.. _servers.Values.Select(s => s.Server)];
        }

        all.ForEach(act);
    }
}
