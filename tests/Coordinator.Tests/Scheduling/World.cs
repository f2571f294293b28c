using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Tests.Scheduling;

/// <summary>Builds snapshots in a line or two; everything has a name, ids follow from it.</summary>
internal sealed class World
{
    internal static readonly DateTimeOffset Now = new(2026, 11, 22, 21, 14, 0, TimeSpan.Zero);
    private readonly List<QueuedRun> _queue = [];
    private readonly List<PoolDevice> _devices = [];
    private readonly List<LiveAttempt> _attempts = [];
    private readonly Dictionary<(double, string), RunNeeds> _needs = [];
    private bool _lossesKnown = true;

    internal static Guid Id(string name)
    {
        byte[] hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name));
        return new Guid(hash[..16]);
    }

    internal World Device(string worker, double gigabytes, DeviceKind kind = DeviceKind.Cuda, bool online = true, bool draining = false, int? index = null)
    {
        int next = index ?? _devices.Count(d => d.WorkerName == worker);
        _devices.Add(new PoolDevice(Id(worker), worker, next, kind, kind.ToString(), (long)(gigabytes * (1L << 30)), online, draining));
        return this;
    }

    internal World Queued(
        string run, double gigabytes = 1, RunPriority priority = RunPriority.Normal, string devices = "any", int minutesAgo = 0, DateTimeOffset? notBefore = null, string remedy = "", string? said = null)
    {
        _queue.Add(new QueuedRun(Id(run), run, 1, priority, Now.AddMinutes(-minutesAgo), notBefore, devices, Needs(gigabytes, remedy), said));
        return this;
    }

    internal World Running(string run, string worker, int index = 0, RunPriority priority = RunPriority.Normal, long atRisk = 0, bool stopping = false, double leaseSeconds = 10)
    {
        _attempts.Add(new LiveAttempt(Id(run + "/1"), Id(run), run, 1, Id(worker), index, priority, stopping, atRisk, Now.AddSeconds(leaseSeconds)));
        return this;
    }

    internal World NewLeader()
    {
        _lossesKnown = false;
        return this;
    }

    internal Snapshot Snapshot() => new(_queue, _devices, _attempts, _lossesKnown);

    internal Plan Decide() => Scheduler.Decide(Snapshot(), Now);

    // Runs of one need are of one kind, as the catalogue of the cycle has it.
    private RunNeeds Needs(double gigabytes, string remedy)
    {
        if (!_needs.TryGetValue((gigabytes, remedy), out var needs))
        {
            _needs.Add((gigabytes, remedy), needs = new Gigabytes(gigabytes, remedy));
        }

        return needs;
    }

    /// <summary>Takes so many gigabytes per row, on any kind of device.</summary>
    private sealed class Gigabytes(double perRow, string remedy) : RunNeeds
    {
        public override Need On(DeviceClass device)
        {
            long bytes = (long)(perRow * (1L << 30));
            bool fits = bytes <= device.MemoryBytes;
            return new Need(fits, fits ? (int)Math.Min(8, device.MemoryBytes / Math.Max(1, bytes)) : 0, bytes, fits ? "" : "It needs more.", remedy);
        }
    }
}
