namespace Hearth.Coordinator.Scheduling;

/// <summary>Devices and who holds or is promised them, while one plan is made.</summary>
internal sealed class Board
{
    private readonly Dictionary<(Guid, int), string> _holders = [];
    private readonly HashSet<(Guid, int)> _promised = [];
    private readonly Dictionary<Guid, string> _names;
    private readonly Dictionary<(Guid, int), PoolDevice> _devices;

    internal Board(Snapshot world, IReadOnlyList<LiveAttempt> expired)
    {
        _names = world.Runs.ToDictionary(r => r.Id, r => r.Name);
        _devices = world.Devices.ToDictionary(d => (d.WorkerId, d.Index));
        Devices = [.. world.Devices.OrderBy(d => d.WorkerName, StringComparer.Ordinal).ThenBy(d => d.Index)];
        var gone = expired.Select(a => a.Id).ToHashSet();
        Attempts = [.. world.Attempts.Where(a => !gone.Contains(a.Id))];
        foreach (var attempt in Attempts)
        {
            _holders[(attempt.WorkerId, attempt.DeviceIndex)] = RunName(attempt.RunId);
        }
    }

    internal IReadOnlyList<PoolDevice> Devices { get; }

    internal IReadOnlyList<LiveAttempt> Attempts { get; }

    internal bool IsFree(PoolDevice device) => !_holders.ContainsKey((device.WorkerId, device.Index));

    internal bool IsPromised(LiveAttempt attempt) => _promised.Contains((attempt.WorkerId, attempt.DeviceIndex));

    internal string? Holder(PoolDevice device) => _holders.GetValueOrDefault((device.WorkerId, device.Index));

    internal string RunName(Guid run) => _names.GetValueOrDefault(run, "another run");

    internal PoolDevice DeviceOf(LiveAttempt attempt) => _devices[(attempt.WorkerId, attempt.DeviceIndex)];

    internal bool Knows(LiveAttempt attempt) => _devices.ContainsKey((attempt.WorkerId, attempt.DeviceIndex));

    internal void Take(PoolDevice device, QueuedRun run) => _holders.Add((device.WorkerId, device.Index), run.Name);

    /// <summary>A device that is being emptied for a run goes to nobody else in this plan.</summary>
    internal void Promise(LiveAttempt victim, QueuedRun run)
    {
        _promised.Add((victim.WorkerId, victim.DeviceIndex));
        _holders[(victim.WorkerId, victim.DeviceIndex)] = run.Name;
    }
}
