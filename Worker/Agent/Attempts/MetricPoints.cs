using System.Collections.Immutable;
using Hearth.Hardware;
using Hearth.Protocol;

namespace Hearth.Agent;

/// <summary>A point of one key, or a sample.</summary>
public readonly record struct MetricItem(string Key, long Step, float Value, long UnixMilliseconds, SampleRecord? Sample = null);

/// <summary>Translates events and readings into points, and points into columnar chunks.</summary>
public static class MetricPoints
{
    public static IEnumerable<MetricItem> Of(TrainerEvent happened)
    {
        var at = happened.At.ToUnixTimeMilliseconds();
        MetricItem Point(string key, long step, double value) => new(key, step, (float)value, at);
        switch (happened)
        {
            case StepEvent e:
                yield return Point("loss", e.Step, e.Loss);
                yield return Point("lr", e.Step, e.Lr);
                yield return Point("grad_norm", e.Step, e.GradNorm);
                yield return Point("tokens_per_second", e.Step, e.TokensPerSecond);
                yield return Point("step_seconds", e.Step, e.StepSeconds);
                yield return Point("tokens", e.Step, e.Tokens);
                if (e.MemoryBytes is { } memory)
                {
                    yield return Point("memory_bytes", e.Step, memory);
                }

                break;
            case SkippedEvent e:
                yield return Point("skipped_steps", e.Step, e.Skipped);
                break;
            case EvalEvent e:
                yield return Point("validation_loss", e.Step, e.Loss);
                foreach (var (term, value) in e.Terms ?? ImmutableDictionary<string, double>.Empty)
                {
                    yield return Point($"validation_{term}", e.Step, value);
                }

                break;
            case CheckpointEvent e:
                yield return Point("checkpoint_pause_seconds", e.Step, e.PauseSeconds);
                break;
            case SampleEvent e:
                yield return new MetricItem("", e.Step, 0, at, new SampleRecord(e.Step, e.Prompt, e.Text));
                break;
        }
    }

    /// <param name="reading">What the probe read.</param>
    /// <param name="step">The step it belongs to.</param>
    /// <param name="withMemory">False where the trainer reports its memory itself.</param>
    /// <param name="unixMilliseconds">When.</param>
    public static IEnumerable<MetricItem> Of(DeviceReading reading, long step, bool withMemory, long unixMilliseconds)
    {
        (string Key, double? Value)[] readings =
        [
            ("memory_bytes", withMemory ? reading.MemoryUsedBytes : null),
            ("utilization_percent", reading.UtilizationPercent),
            ("power_watts", reading.PowerWatts),
            ("temperature_celsius", reading.TemperatureCelsius),
        ];
        return readings.Where(r => r.Value is not null).Select(r => new MetricItem(r.Key, step, (float)r.Value!.Value, unixMilliseconds));
    }

    /// <summary>One request's content. A step that goes back (a roll-back) begins a new chunk, since steps ascend in a chunk.</summary>
    public static MetricsRequest Request(Lease lease, long sequence, IReadOnlyList<MetricItem> items)
    {
        var chunks = new List<MetricChunk>();
        foreach (var key in items.Where(i => i.Sample is null).GroupBy(i => i.Key, StringComparer.Ordinal))
        {
            var run = new List<MetricItem>();
            foreach (var item in key)
            {
                if (run.Count > 0 && item.Step <= run[^1].Step)
                {
                    chunks.Add(Chunk(key.Key, run));
                    run = [];
                }

                run.Add(item);
            }

            chunks.Add(Chunk(key.Key, run));
        }

        return new MetricsRequest(lease, sequence, chunks, [.. items.Select(i => i.Sample).OfType<SampleRecord>()]);
    }

    private static MetricChunk Chunk(string key, List<MetricItem> items) =>
        new(key, [.. items.Select(i => i.Step)], [.. items.Select(i => i.Value)], [.. items.Select(i => i.UnixMilliseconds)]);
}
