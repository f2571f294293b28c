using Hearth.Protocol;

namespace Hearth.Coordinator.Metrics.Bench;

/// <summary>
/// Series as a run writes them: noise over a falling loss, a schedule, counters, what a card reports. A step takes 40 ms, give or take two.
/// </summary>
internal sealed class BenchSeries
{
    internal const double StepMilliseconds = 40;

    internal static readonly string[] Keys =
    [
        "loss", "lr", "grad_norm", "tokens_per_second", "step_seconds", "tokens", "memory_bytes", "utilization_percent", "power_watts", "temperature_celsius",
    ];

    private const double BatchTokens = 16_384;
    private readonly Random _random;
    private readonly int _steps;
    private double _time;
    private double _heat = 61;

    /// <param name="seed">Tells runs apart.</param>
    /// <param name="steps">Of the whole run.</param>
    /// <param name="began">Milliseconds since 1970.</param>
    internal BenchSeries(int seed, int steps, double began) => (_random, _steps, _time) = (new Random(seed), steps, began);

    /// <summary>What one batch brings of all keys.</summary>
    internal IReadOnlyList<MetricChunk> Next(long first, int count)
    {
        long[] steps = new long[count], times = new long[count];
        float[][] values = [.. Keys.Select(_ => new float[count])];
        for (int i = 0; i < count; i++)
        {
            double took = StepMilliseconds + (2 * Normal());
            _time += took;
            (steps[i], times[i]) = (first + i, (long)_time);
            double[] at = Values(first + i, took / 1000);
            for (int k = 0; k < at.Length; k++)
            {
                values[k][i] = (float)at[k];
            }
        }

        return [.. Keys.Select((key, k) => new MetricChunk(key, steps, values[k], times))];
    }

    private double[] Values(long step, double seconds)
    {
        double done = step / (double)_steps;
        _heat += 0.05 * (61 + (10 * done) - _heat + Normal());
        return
        [
            2 + (6 * Math.Exp(-8 * done)) + (0.05 * Normal()),
            3e-4 * 0.5 * (1 + Math.Cos(Math.PI * done)),
            0.7 * Math.Exp(0.2 * Normal()),
            BatchTokens / seconds,
            seconds,
            BatchTokens * step,
            8_123_456_768,
            Math.Clamp(Math.Round(97 + Normal()), 0, 100),
            Math.Round(220 + (4 * Normal()), 1),
            Math.Round(_heat),
        ];
    }

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
}
