using System.Globalization;
using Hearth.Hardware;

namespace Hearth.Coordinator.Scheduling;

/// <summary>Rule: a run fits a device that it allows, that is there, and whose memory holds its forecast.</summary>
internal static class Fit
{
    /// <summary>The free device with the largest micro-batch; then the one with the least memory, so that big cards stay free.</summary>
    internal static (PoolDevice Device, int MicroBatch)? Best(QueuedRun run, Board board) => board.Devices
        .Where(d => board.IsFree(d) && Usable(run, d))
        .Select(d => (Device: d, Need: run.Needs.On(d.MemoryBytes, d.Kind)))
        .Where(c => c.Need.Fits)
        .OrderBy(c => c.Device.Kind == DeviceKind.Cpu)
        .ThenByDescending(c => c.Need.MicroBatch)
        .ThenBy(c => c.Device.MemoryBytes)
        .ThenBy(c => c.Device.Name, StringComparer.Ordinal)
        .Select(c => ((PoolDevice, int)?)(c.Device, c.Need.MicroBatch))
        .FirstOrDefault();

    internal static bool Usable(QueuedRun run, PoolDevice device) => device.Online && !device.Draining && Allows(run.Devices, device);

    /// <summary><c>any</c>, <c>gpu</c>, <c>cpu</c>, or a list of device and worker names.</summary>
    internal static bool Allows(string devices, PoolDevice device) => devices switch
    {
        "" or "any" => true,
        "gpu" => device.Kind != DeviceKind.Cpu,
        "cpu" => device.Kind == DeviceKind.Cpu,
        _ => devices.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Any(name => name == device.Name || name == device.WorkerName),
    };
}

/// <summary>Rule: a strictly higher priority may take the device of the attempt that loses the fewest steps.</summary>
internal static class Preemption
{
    internal static LiveAttempt? Victim(QueuedRun run, Board board) => board.Attempts
        .Where(a => a.Priority < run.Priority && board.Knows(a) && !board.IsPromised(a))
        .Where(a => board.DeviceOf(a) is var d && Fit.Usable(run, d) && run.Needs.On(d.MemoryBytes, d.Kind).Fits)
        .OrderByDescending(a => a.Stopping)
        .ThenBy(a => a.Priority)
        .ThenBy(a => a.StepsAtRisk)
        .ThenBy(a => a.Id)
        .FirstOrDefault();
}

/// <summary>One sentence for a run that was not placed: the most specific thing that is true.</summary>
internal static class Reasons
{
    internal static string Why(QueuedRun run, Board board)
    {
        if (board.Devices.Count == 0)
        {
            return "No worker has joined the pool yet.";
        }

        var allowed = board.Devices.Where(d => Fit.Allows(run.Devices, d)).ToList();
        if (allowed.Count == 0)
        {
            return $"Set to run on {run.Devices}, and the pool has no such device.";
        }

        var fitting = allowed.Where(d => run.Needs.On(d.MemoryBytes, d.Kind).Fits).ToList();
        if (fitting.Count == 0)
        {
            var largest = allowed.MaxBy(d => d.MemoryBytes)!;
            var need = run.Needs.On(largest.MemoryBytes, largest.Kind);
            return need.Bytes > largest.MemoryBytes
                ? $"Needs {Gigabytes(need.Bytes)} GB, and the largest device it may use, {largest.Name}, has {Gigabytes(largest.MemoryBytes)}. {run.Needs.Remedy(largest.MemoryBytes, largest.Kind)}".TrimEnd()
                : need.Reason;
        }

        var there = fitting.Where(d => d.Online && !d.Draining).ToList();
        if (there.Count == 0)
        {
            var away = fitting[0];
            return away.Online ? $"{away.Name} takes no new runs: it is being drained." : $"Fits {away.Name}, which is away. Goes on when it comes back.";
        }

        string busy = string.Join(" and ", there.Take(3).Select(d => $"{board.Holder(d)} holds {d.Name}"));
        return there.Count == 1 ? $"Fits only {there[0].Name}. {busy}." : $"Every device that fits is taken: {busy}.";
    }

    private static string Gigabytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);
}
