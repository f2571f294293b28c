using Hearth.Hardware;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>
/// Devices and who holds or is promised them, while one plan is made: lanes of equal devices for each way of naming devices, and the
/// kinds of run that were asked about. A device is only ever taken within a plan, so every search goes on where it stopped.
/// </summary>
internal sealed class Board
{
    private const string Any = "any";

    private readonly IReadOnlyList<Slot> _slots;
    private readonly IReadOnlyList<Lane> _classes;
    private readonly ILookup<string, Slot> _byName;
    private readonly Dictionary<string, IReadOnlyList<Lane>> _lanes = new(StringComparer.Ordinal);
    private readonly Dictionary<(RunNeeds, string), RunKind> _kinds = [];

    internal Board(IEnumerable<PoolDevice> devices, IEnumerable<LiveAttempt> attempts)
    {
        var held = attempts.ToLookup(a => (a.WorkerId, a.DeviceIndex));
        _slots =
        [
            .. devices.DistinctBy(d => (d.WorkerId, d.Index))
                .OrderBy(d => d.WorkerName, StringComparer.Ordinal).ThenBy(d => d.Index)
                .Select((d, rank) => new Slot(d, rank, [.. held[(d.WorkerId, d.Index)]])),
        ];
        _classes = Lanes(_slots);
        _byName = _slots.SelectMany(s => new[] { (Name: s.Device.Name, Slot: s), (Name: s.Device.WorkerName, Slot: s) }).ToLookup(n => n.Name, n => n.Slot, StringComparer.Ordinal);
    }

    internal bool IsEmpty => _slots.Count == 0;

    internal RunKind KindOf(QueuedRun run)
    {
        string devices = run.Devices.Length == 0 ? Any : run.Devices;
        if (!_kinds.TryGetValue((run.Needs, devices), out var kind))
        {
            _kinds.Add((run.Needs, devices), kind = new RunKind(run.Needs, devices, LanesOf(devices)));
        }

        return kind;
    }

    // Those that a kind of device picks are shared by all runs; a list of names makes lanes of its own over the same slots.
    private IReadOnlyList<Lane> LanesOf(string devices)
    {
        if (!_lanes.TryGetValue(devices, out var lanes))
        {
            lanes = DeviceSelector.AllowsKind(devices, DeviceKind.Cpu) is null
                ? Lanes(DeviceSelector.Names(devices).SelectMany(name => _byName[name]).Distinct().OrderBy(s => s.Rank))
                : [.. _classes.Where(c => DeviceSelector.AllowsKind(devices, c.Class.Kind) == true)];
            _lanes.Add(devices, lanes);
        }

        return lanes;
    }

    private static IReadOnlyList<Lane> Lanes(IEnumerable<Slot> slots) => [.. slots.GroupBy(s => s.Device.Class).Select(g => new Lane(g.Key, [.. g]))];
}

/// <summary>One device, who holds it, and the attempts on it.</summary>
/// <param name="device">Which.</param>
/// <param name="rank">Its place by name.</param>
/// <param name="attempts">That are not over; more than one only where the rows contradict each other.</param>
internal sealed class Slot(PoolDevice device, int rank, IReadOnlyList<LiveAttempt> attempts)
{
    internal PoolDevice Device => device;

    internal int Rank => rank;

    internal IReadOnlyList<LiveAttempt> Attempts => attempts;

    /// <summary>Name of the run that has it, or will once it is emptied; null = it is free.</summary>
    internal string? Holder { get; private set; } = attempts.Count > 0 ? attempts[^1].RunName : null;

    /// <summary>A device that is being emptied for a run goes to nobody else in this plan.</summary>
    internal bool IsPromised { get; private set; }

    internal void Take(QueuedRun run) => Holder = run.Name;

    internal void Promise(QueuedRun run) => (Holder, IsPromised) = (run.Name, true);
}
