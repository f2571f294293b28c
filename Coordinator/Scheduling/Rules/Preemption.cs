using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>
/// Rule: a strictly higher priority may take the device of an attempt that is on its way out already; else of the lowest priority;
/// of those the one that loses the fewest steps.
/// </summary>
internal static class Preemption
{
    /// <summary>Whose device the run gets; null when nobody gives way to it.</summary>
    /// <param name="kind">Of the run.</param>
    /// <param name="priority">Of the run; no higher than any that was asked about before.</param>
    internal static Victim? Choose(RunKind kind, RunPriority priority)
    {
        if (kind.NobodyGivesWay)
        {
            return null;
        }

        var first = kind.Fits.Select(f => f.Lane.VictimBelow(priority)).OfType<Victim>().Min(Comparer<Victim>.Create(Order));
        kind.NobodyGivesWay = first is null;
        return first;
    }

    /// <summary>Below 0 when <paramref name="a"/> gives way first.</summary>
    internal static int Order(Victim a, Victim b)
    {
        int stopping = b.Attempt.Stopping.CompareTo(a.Attempt.Stopping);
        int priority = a.Attempt.Priority.CompareTo(b.Attempt.Priority);
        int risk = a.Attempt.StepsAtRisk.CompareTo(b.Attempt.StepsAtRisk);
        return stopping != 0 ? stopping : priority != 0 ? priority : risk != 0 ? risk : a.Attempt.Id.CompareTo(b.Attempt.Id);
    }
}
