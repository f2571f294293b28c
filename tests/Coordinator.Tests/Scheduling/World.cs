using Hearth.Coordinator.Scheduling;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Tests.Scheduling;

/// <summary>Builds snapshots in a line or two; everything has a name, ids follow from it.</summary>
internal sealed class World
{
    internal static readonly DateTimeOffset Now = new(2026, 11, 22, 21, 14, 0, TimeSpan.Zero);
    private readonly List<QueuedRun> _runs = [];
    private readonly List<PoolDevice> _devices = [];
    private readonly List<LiveAttempt> _attempts = [];
    private bool _lossesKnown = true;

    internal static Guid Id(string name)
    {
        byte[] hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name));
        return new Guid(hash[..16]);
    }

    internal World Device(string worker, double gigabytes, DeviceKind kind = DeviceKind.Cuda, bool online = true, bool draining = false)
    {
        int index = _devices.Count(d => d.WorkerName == worker);
        _devices.Add(new PoolDevice(Id(worker), worker, index, kind, kind.ToString(), (long)(gigabytes * (1L << 30)), online, draining));
        return this;
    }

    internal World Queued(string run, double gigabytes = 1, RunPriority priority = RunPriority.Normal, string devices = "any", int minutesAgo = 0, DateTimeOffset? notBefore = null, string remedy = "")
    {
        _runs.Add(new QueuedRun(Id(run), run, RunState.Queued, 1, priority, Now.AddMinutes(-minutesAgo), notBefore, devices, new Gigabytes(gigabytes, remedy)));
        return this;
    }

    internal World Running(string run, string worker, int index = 0, RunPriority priority = RunPriority.Normal, long atRisk = 0, bool stopping = false, double leaseSeconds = 10)
    {
        _runs.Add(new QueuedRun(Id(run), run, RunState.Running, 1, priority, Now.AddHours(-1), null, "any", new Gigabytes(1)));
        _attempts.Add(new LiveAttempt(Id(run + "/1"), Id(run), 1, Id(worker), index, priority, stopping, atRisk, Now.AddSeconds(leaseSeconds)));
        return this;
    }

    internal World NewLeader()
    {
        _lossesKnown = false;
        return this;
    }

    internal Snapshot Snapshot() => new(_runs, _devices, _attempts, _lossesKnown);

    internal Plan Decide() => Scheduler.Decide(Snapshot(), Now);

    /// <summary>A run that needs so many gigabytes per row, on any kind of device.</summary>
    private sealed record Gigabytes(double PerRow, string Change = "") : RunNeeds
    {
        public override (bool Fits, int MicroBatch, long Bytes, string Reason) On(long deviceBytes, DeviceKind kind)
        {
            long bytes = (long)(PerRow * (1L << 30));
            return (bytes <= deviceBytes, (int)Math.Min(8, deviceBytes / Math.Max(1, bytes)), bytes, "");
        }

        public override string Remedy(long deviceBytes, DeviceKind kind) => Change;
    }
}
