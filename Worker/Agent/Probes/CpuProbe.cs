using System.Globalization;
using Hearth.Hardware;

namespace Hearth.Agent;

/// <summary>The machine's processor as one device. Half of its memory is left to everything else that runs there.</summary>
public sealed class CpuProbe : IProbe
{
    private const string Statistics = "/proc/stat";
    private (long Busy, long All)? _before;

    public IReadOnlyList<DeviceInfo> Devices()
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return [new DeviceInfo(0, DeviceKind.Cpu, $"{ModelName()} ({Environment.ProcessorCount} threads)", "cpu-" + Environment.MachineName, memory / 2)];
    }

    public IReadOnlyList<DeviceReading> Read() => [new DeviceReading(0, HostMemory.Read() is { } memory ? memory.TotalBytes - memory.FreeBytes : null, Utilization())];

    public void Dispose()
    {
    }

    private static string ModelName()
    {
        try
        {
            string? line = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
            return line?.Split(':', 2)[1].Trim() ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "CPU";
        }
        catch (IOException)
        {
            return "CPU";
        }
    }

    /// <summary>Share of non-idle time since the last call; null at the first.</summary>
    private double? Utilization()
    {
        try
        {
            if (!File.Exists(Statistics))
            {
                return null;
            }

            // "cpu  user nice system idle iowait irq softirq steal …", in ticks since boot.
            long[] ticks = [.. File.ReadLines(Statistics).First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(t => long.Parse(t, CultureInfo.InvariantCulture))];
            var now = (Busy: ticks.Sum() - ticks[3] - ticks[4], All: ticks.Sum());
            var before = _before;
            _before = now;
            return before is { } b && now.All > b.All ? 100.0 * (now.Busy - b.Busy) / (now.All - b.All) : null;
        }
        catch (Exception e) when (e is IOException or FormatException or IndexOutOfRangeException)
        {
            return null;
        }
    }
}
