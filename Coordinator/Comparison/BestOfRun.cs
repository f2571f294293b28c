using Hearth.Api;

namespace Hearth.Coordinator.Comparison;

/// <summary>The best of a run: where its metric was best, and which kept checkpoint is nearest. Pure.</summary>
public static class BestOfRun
{
    private static readonly HashSet<string> More = new(["tokens_per_second", "utilization_percent"], StringComparer.Ordinal);

    /// <summary>Whether more of a metric is better; of losses, times and watts less is.</summary>
    public static bool Maximises(string metric) => More.Contains(metric);

    /// <summary>The entry that holds the best value, the first of equals; null when no value is a number.</summary>
    public static int? Entry(MetricSeries series, bool maximise)
    {
        int? best = null;
        var values = maximise ? series.Max : series.Min;
        for (int i = 0; i < values.Count; i++)
        {
            if (float.IsFinite(values[i]) && (best is not { } b || (maximise ? values[i] > values[b] : values[i] < values[b])))
            {
                best = i;
            }
        }

        return best;
    }

    /// <summary>The nearest to a step; of two as near, the earlier one, which has trained on less of what came after the best.</summary>
    public static NearestCheckpoint? Nearest(long step, IEnumerable<CheckpointView> checkpoints) =>
        checkpoints.Where(c => c.Status == "kept").OrderBy(c => Math.Abs(c.Step - step)).ThenBy(c => c.Step).ThenBy(c => c.Id).FirstOrDefault() is { } nearest
            ? new NearestCheckpoint(nearest.Id, nearest.Step, nearest.Step == step ? "at" : nearest.Step < step ? "before" : "after")
            : null;
}
