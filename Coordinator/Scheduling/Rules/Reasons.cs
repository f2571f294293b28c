using System.Globalization;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>
/// Rule: a run that was not placed is told the most specific thing that is in its way, in one sentence, the same for all runs of its
/// kind. Holders are named only where few devices fit: in a large pool the sentence would change with every placement.
/// </summary>
internal static class Reasons
{
    private const int MostNamed = 3;

    internal static string Why(RunKind kind, Board board)
    {
        if (board.IsEmpty)
        {
            return "No worker has joined the pool yet.";
        }

        if (kind.Allowed.Count == 0)
        {
            return $"Set to run on {kind.Devices}, and the pool has no such device.";
        }

        if (kind.Fits.Count == 0)
        {
            return TooSmall(kind);
        }

        int there = kind.Fits.Sum(f => f.Lane.There.Count);
        if (there == 0)
        {
            var away = kind.Fits.Select(f => f.Lane.All[0]).MinBy(s => s.Rank)!.Device;
            return away.Online ? $"{away.Name} takes no new runs: it is being drained." : $"Fits {away.Name}, which is away. Goes on when it comes back.";
        }

        if (there > MostNamed)
        {
            return $"All {there} devices that fit are taken.";
        }

        var slots = kind.Fits.SelectMany(f => f.Lane.There).OrderBy(s => s.Rank).ToList();
        string busy = string.Join(" and ", slots.Select(s => $"{s.Holder} holds {s.Device.Name}"));
        return there == 1 ? $"Fits only {slots[0].Device.Name}. {busy}." : $"Every device that fits is taken: {busy}.";
    }

    private static string TooSmall(RunKind kind)
    {
        var lane = kind.Allowed.OrderByDescending(l => l.Class.MemoryBytes).ThenBy(l => l.All[0].Rank).First();
        var need = kind.Needs.On(lane.Class);
        return need.Bytes > lane.Class.MemoryBytes
            ? $"Needs {Gigabytes(need.Bytes)} GB, and the largest device it may use, {lane.All[0].Device.Name}, has {Gigabytes(lane.Class.MemoryBytes)}. {need.Remedy}".TrimEnd()
            : need.Reason;
    }

    private static string Gigabytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);
}
