namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>Rule: priority first, then age; the id makes the order total.</summary>
internal static class QueueOrder
{
    internal static IReadOnlyList<QueuedRun> Of(IReadOnlyList<QueuedRun> queue)
    {
        var ordered = queue.ToArray();
        Array.Sort(ordered, Order);
        return ordered;
    }

    private static int Order(QueuedRun a, QueuedRun b)
    {
        int priority = ((int)b.Priority).CompareTo((int)a.Priority);
        int age = a.QueuedAt.CompareTo(b.QueuedAt);
        return priority != 0 ? priority : age != 0 ? age : a.Id.CompareTo(b.Id);
    }
}
