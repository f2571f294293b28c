using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>An attempt that could give its device away.</summary>
internal sealed record Victim(LiveAttempt Attempt, Slot Slot);

/// <summary>Devices of one class, by name. What a search passed over once stays passed over for the rest of the plan.</summary>
internal sealed class Lane
{
    private readonly Lazy<Victim[]> _victims;
    private int _free;
    private int _victim;

    internal Lane(DeviceClass @class, IReadOnlyList<Slot> all)
    {
        (Class, All, There) = (@class, all, [.. all.Where(s => s.Device.Takes)]);
        _victims = new(() => [.. There.SelectMany(s => s.Attempts.Select(a => new Victim(a, s))).Order(Comparer<Victim>.Create(Preemption.Order))]);
    }

    internal DeviceClass Class { get; }

    internal IReadOnlyList<Slot> All { get; }

    /// <summary>Those that take runs.</summary>
    internal IReadOnlyList<Slot> There { get; }

    /// <summary>The first device that nobody holds.</summary>
    internal Slot? Free
    {
        get
        {
            while (_free < There.Count && There[_free].Holder is not null)
            {
                _free++;
            }

            return _free < There.Count ? There[_free] : null;
        }
    }

    /// <summary>Who gives way first to a run of this priority. Priorities are asked about from high to low.</summary>
    internal Victim? VictimBelow(RunPriority priority)
    {
        var victims = _victims.Value;
        while (_victim < victims.Length && (victims[_victim].Slot.IsPromised || victims[_victim].Attempt.Priority >= priority))
        {
            _victim++;
        }

        return _victim < victims.Length ? victims[_victim] : null;
    }
}
