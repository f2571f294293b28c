using System.Globalization;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Metrics;

/// <summary>What points an attempt can have.</summary>
/// <param name="FirstStep">Of the checkpoint that it began with.</param>
/// <param name="LastStep">Of the run.</param>
/// <param name="Began">When it was placed, by the database's clock, in milliseconds since 1970.</param>
/// <param name="Now">By the same clock.</param>
public sealed record AttemptBounds(long FirstStep, long LastStep, long Began, long Now);

/// <summary>A batch without the points and samples that its attempt cannot have, and how many those were.</summary>
/// <param name="Reasons">Of the first few of them, a sentence each.</param>
public sealed record CheckedBatch(IReadOnlyList<MetricChunk> Chunks, IReadOnlyList<SampleRecord> Samples, int Refused, IReadOnlyList<string> Reasons);

/// <summary>
/// Refuses points one by one: the others of a batch are worth no less for them. A step has to be the attempt's; a time has to lie between its beginning and now,
/// with a day to either side, since it is told by the worker's clock. Pure.
/// </summary>
public static class PointRules
{
    private const int MostReasons = 5;
    private static readonly long Allowance = (long)TimeSpan.FromDays(1).TotalMilliseconds;

    public static CheckedBatch Check(MetricsRequest batch, AttemptBounds bounds)
    {
        var refusals = new Refusals(bounds);
        MetricChunk[] chunks = [.. batch.Chunks.Select(c => Kept(c, refusals)).Where(c => c.Steps.Count > 0)];
        SampleRecord[] samples = [.. batch.Samples.Where(s => !refusals.OfStep("A sample", s.Step))];
        return new CheckedBatch(chunks, samples, refusals.Count, refusals.Reasons);
    }

    private static MetricChunk Kept(MetricChunk chunk, Refusals refusals)
    {
        int before = refusals.Count;
        var kept = new List<int>(chunk.Steps.Count);
        for (int i = 0; i < chunk.Steps.Count; i++)
        {
            if (!refusals.OfStep(chunk.Key, chunk.Steps[i]) && !refusals.OfTime(chunk.Key, chunk.Steps[i], chunk.UnixMilliseconds[i]))
            {
                kept.Add(i);
            }
        }

        return refusals.Count == before ? chunk
            : new MetricChunk(chunk.Key, [.. kept.Select(i => chunk.Steps[i])], [.. kept.Select(i => chunk.Values[i])], [.. kept.Select(i => chunk.UnixMilliseconds[i])]);
    }

    private sealed class Refusals(AttemptBounds bounds)
    {
        private readonly List<string> _reasons = [];

        internal int Count { get; private set; }

        internal IReadOnlyList<string> Reasons => _reasons;

        internal bool OfStep(string what, long step)
        {
            if (step >= bounds.FirstStep && step <= bounds.LastStep)
            {
                return false;
            }

            if (++Count <= MostReasons)
            {
                _reasons.Add($"{what} is of step {Words.Number(step)}. Allowed in this attempt: {Words.Number(bounds.FirstStep)} to {Words.Number(bounds.LastStep)}.");
            }

            return true;
        }

        internal bool OfTime(string what, long step, long time)
        {
            var (earliest, latest) = (bounds.Began - Allowance, bounds.Now + Allowance);
            if (time >= earliest && time <= latest)
            {
                return false;
            }

            if (++Count <= MostReasons)
            {
                _reasons.Add(string.Create(
                    CultureInfo.InvariantCulture, $"{what} has the time {time} at step {Words.Number(step)}. Allowed: {earliest} to {latest} in milliseconds since 1970."));
            }

            return true;
        }
    }
}
