using Hearth.Api;

namespace Hearth.Coordinator.Comparison;

/// <summary>An attempt's time of training, in Unix milliseconds.</summary>
public readonly record struct TrainingSpan(long From, long To);

/// <summary>
/// Where a point of a run's series lies on an axis. Time is the time of training alone: spans of attempts, from their first steps to their ends. Energy is the integral of power over it,
/// each reading held until the next. Pure.
/// </summary>
/// <param name="spans">Of the run's attempts.</param>
/// <param name="tokens">The series of tokens trained; null = none.</param>
/// <param name="power">The series of watts; null = the device tells none.</param>
public sealed class RunAxis(IReadOnlyList<TrainingSpan> spans, MetricSeries? tokens, MetricSeries? power)
{
    /// <summary>Seconds of training up to a moment.</summary>
    /// <param name="time">Unix milliseconds.</param>
    public double Seconds(long time) => spans.Sum(s => Math.Max(0, Math.Min(s.To, time) - s.From)) / 1000.0;

    /// <summary>Watt-hours up to a moment; null where the device tells no power.</summary>
    /// <param name="time">Unix milliseconds.</param>
    public double? WattHours(long time)
    {
        if (power is not { Steps.Count: > 0 })
        {
            return null;
        }

        // Repeated steps come with the later attempt's time, so times of ascending steps may not ascend.
        var readings = power.UnixMilliseconds.Zip(power.Mean).Where(r => float.IsFinite(r.Second)).OrderBy(r => r.First).ToList();
        double joules = 0;
        for (int i = 0; i < readings.Count; i++)
        {
            double from = i == 0 ? 0 : Seconds(Math.Min(readings[i].First, time));
            double to = Seconds(i == readings.Count - 1 ? time : Math.Min(readings[i + 1].First, time));
            joules += readings[i].Second * Math.Max(0, to - from);
        }

        return readings.Count == 0 ? null : joules / 3600;
    }

    /// <summary>Tokens trained by a step, between the steps that tell it in proportion; null where none does.</summary>
    public double? Tokens(long step)
    {
        if (tokens is not { Steps.Count: > 0 })
        {
            return null;
        }

        int next = 0;
        while (next < tokens.Steps.Count && tokens.Steps[next] < step)
        {
            next++;
        }

        var (before, at) = next == 0 ? ((0L, 0f), Tell(0)) : next == tokens.Steps.Count ? (Tell(Math.Max(0, next - 2)), Tell(next - 1)) : (Tell(next - 1), Tell(next));
        return at.Item1 == before.Item1 ? at.Item2 : before.Item2 + ((at.Item2 - before.Item2) * (double)(step - before.Item1) / (at.Item1 - before.Item1));
    }

    /// <summary>A series over an axis: its points, as far as the axis is told.</summary>
    public ComparedCurve Draw(MetricSeries? series, CompareAxis axis)
    {
        double?[] at = [.. (series?.Steps ?? []).Select((step, i) => axis switch
        {
            CompareAxis.Tokens => Tokens(step),
            CompareAxis.Time => Seconds(series!.UnixMilliseconds[i]),
            CompareAxis.Energy => WattHours(series!.UnixMilliseconds[i]),
            _ => (double?)step,
        })];
        return series is null || at.Contains(null)
            ? new ComparedCurve(1, [], [], [], [], [])
            : new ComparedCurve(series.BucketSteps, [.. at.Select(a => a!.Value)], series.Steps, series.Mean, series.Min, series.Max);
    }

    private (long Step, float Tokens) Tell(int i) => (tokens!.Steps[i], First(i));

    // A bucket is drawn at its first step and its least value is that step's, since tokens only grow.
    private float First(int i) => tokens!.Min[i];
}
