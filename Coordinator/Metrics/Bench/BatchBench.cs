using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hearth.Protocol;
using Hearth.Runs;
using MessagePack;
using LogLevel = Hearth.Protocol.LogLevel;

namespace Hearth.Coordinator.Metrics.Bench;

/// <summary><c>bench batches</c>: bytes of a batch on the wire, and microseconds to read and check it, as JSON and as MessagePack. Needs no database and no pool.</summary>
internal static class BatchBench
{
    private const int Rounds = 31;
    private static readonly string[] Keys = ["loss", "lr", "grad_norm", "tokens_per_second", "step_seconds", "tokens"];

    internal static int Run(TextWriter output)
    {
        output.WriteLine("batch                     bytes: JSON   MessagePack     µs to read: JSON   MessagePack");
        foreach (int steps in new[] { 4, 40, 600 })
        {
            Print(output, $"{steps} steps of {Keys.Length} keys", Points(steps), BatchRules.Check);
        }

        foreach (int lines in new[] { 4, 400 })
        {
            Print(output, $"{lines} log lines", Lines(lines), BatchRules.Check);
        }

        return 0;
    }

    private static void Print<T>(TextWriter output, string what, T batch, Func<T, FieldError?> check)
        where T : class
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(batch, Json.Wire), packed = MessagePackSerializer.Serialize(batch, BatchBody.Options);
        double readJson = Microseconds(() => check(JsonSerializer.Deserialize<T>(json, Json.Wire)!)), readPacked = Microseconds(() => check(BatchBody.Unpack<T>(packed)));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-25} {json.Length,12:N0} {packed.Length,13:N0} {readJson,20:N1} {readPacked,13:N1}"));
    }

    /// <summary>The middle of several rounds, each long enough for the clock.</summary>
    private static double Microseconds(Func<object?> read)
    {
        var warm = Stopwatch.StartNew();
        int each = 0;
        for (; warm.ElapsedMilliseconds < 300; each++)
        {
            read();
        }

        int times = Math.Max(1, each / 30);
        return Enumerable.Range(0, Rounds).Select(_ =>
        {
            long began = Stopwatch.GetTimestamp();
            for (int i = 0; i < times; i++)
            {
                read();
            }

            return Stopwatch.GetElapsedTime(began).TotalMicroseconds / times;
        }).Order().ElementAt(Rounds / 2);
    }

    private static MetricsRequest Points(int steps)
    {
        var random = new Random(1);
        long[] numbers = [.. Enumerable.Range(12_000, steps).Select(s => (long)s)];
        long[] times = [.. numbers.Select(s => 1_796_000_000_000 + (s * 103))];
        return new MetricsRequest(new Lease(Guid.NewGuid(), 7), 9, [.. Keys.Select(k => new MetricChunk(k, numbers, [.. numbers.Select(s => k == "tokens" ? s * 65_536 : 2 + random.NextSingle())], times))], []);
    }

    private static LogsRequest Lines(int count) => new(
        new Lease(Guid.NewGuid(), 7), 9,
        [.. Enumerable.Range(0, count).Select(i => new LogLine(DateTimeOffset.UnixEpoch.AddMilliseconds(1_796_000_000_000 + (i * 250)), LogLevel.Info, $"The checkpoint of step {12_000 + i} was written in 0.{i % 10} s."))]);
}
