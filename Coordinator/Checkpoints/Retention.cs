namespace Hearth.Coordinator.Checkpoints;

/// <param name="Id">The checkpoint.</param>
/// <param name="Step">Finished steps.</param>
/// <param name="ValidationLoss">Of the last evaluation up to that step; null when there was none.</param>
public sealed record KeptCheckpoint(Guid Id, long Step, double? ValidationLoss);

/// <summary>Which checkpoints of a run may go. Pure.</summary>
public static class Retention
{
    /// <summary>
    /// All but the newest <paramref name="keepLast"/> and the one with the lowest finite validation loss (the newest of equals).
    /// The newest always stays, so that a run is never left without one.
    /// </summary>
    public static IReadOnlyList<KeptCheckpoint> Surplus(IReadOnlyList<KeptCheckpoint> good, int keepLast)
    {
        var newestFirst = good.OrderByDescending(c => c.Step).ToList();
        var best = newestFirst.Where(c => c.ValidationLoss is { } loss && double.IsFinite(loss)).MinBy(c => c.ValidationLoss);
        return [.. newestFirst.Skip(Math.Max(1, keepLast)).Where(c => c.Id != best?.Id)];
    }

    /// <summary>Loss of the last evaluation at or before a step, out of (step, loss) in ascending steps; null when there is none.</summary>
    public static double? LossAt(long step, IReadOnlyList<(long Step, double Loss)> evaluations)
    {
        double? last = null;
        foreach (var evaluation in evaluations.TakeWhile(e => e.Step <= step))
        {
            last = evaluation.Loss;
        }

        return last;
    }
}
