using Hearth.Hardware;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>
/// Rule: a run goes to the free device that holds the largest micro-batch; of those to the one with the least memory, so that big
/// cards stay free; to a processor only when no card will do.
/// </summary>
internal static class Fit
{
    internal static (Slot Slot, Need Need)? Best(RunKind kind)
    {
        (Slot Slot, Fitting At)? best = null;
        foreach (var fitting in kind.WithFree())
        {
            if (best is { } found && Prefers(found.At, fitting) != 0)
            {
                break;
            }

            // Classes that are preferred alike: the first device of all.
            if (fitting.Lane.Free is { } slot && (best is null || slot.Rank < best.Value.Slot.Rank))
            {
                best = (slot, fitting);
            }
        }

        return best is { } choice ? (choice.Slot, choice.At.Need) : null;
    }

    /// <summary>Below 0 when a run goes to <paramref name="a"/> first, 0 when it does not care.</summary>
    internal static int Prefers(Fitting a, Fitting b)
    {
        int processor = (a.Lane.Class.Kind == DeviceKind.Cpu).CompareTo(b.Lane.Class.Kind == DeviceKind.Cpu);
        int rows = b.Need.MicroBatch.CompareTo(a.Need.MicroBatch);
        return processor != 0 ? processor : rows != 0 ? rows : a.Lane.Class.MemoryBytes.CompareTo(b.Lane.Class.MemoryBytes);
    }
}
