using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;

namespace Hearth.Tests.Scheduling;

/// <summary>
/// The rules written down without any thought of time: every run looks at every device. What <see cref="Scheduler"/> answers must be
/// this. Shares with it only the sentences of <c>Reasons</c>' constants, by repeating them.
/// </summary>
internal static class NaiveScheduler
{
    internal static Plan Decide(Snapshot world, DateTimeOffset now)
    {
        var expired = world.Attempts.Where(a => world.LossesKnown && a.LeaseEndsAt < now).OrderBy(a => a.Id).ToList();
        var live = world.Attempts.Where(a => !expired.Contains(a)).ToList();
        var devices = world.Devices.OrderBy(d => d.WorkerName, StringComparer.Ordinal).ThenBy(d => d.Index).ToList();
        var holders = devices.ToDictionary(d => d, d => live.LastOrDefault(a => On(a, d))?.RunName);
        var promised = new HashSet<PoolDevice>();
        var commands = expired.Select(a => (Command)new Expire(a.Id, a.RunId, a.Epoch)).ToList();
        var waiting = new List<(QueuedRun Run, string? Reason)>();

        foreach (var run in world.Queue.OrderByDescending(r => r.Priority).ThenBy(r => r.QueuedAt).ThenBy(r => r.Id))
        {
            bool Usable(PoolDevice d) => d.Online && !d.Draining && Allows(run, d) && run.Needs.On(d.Class).Fits;
            var best = devices.Where(d => holders[d] is null && Usable(d))
                .OrderBy(d => d.Kind == DeviceKind.Cpu)
                .ThenByDescending(d => run.Needs.On(d.Class).MicroBatch)
                .ThenBy(d => d.MemoryBytes)
                .FirstOrDefault();
            var victim = live.Select(a => (Attempt: a, Device: devices.Find(d => On(a, d))))
                .Where(v => v.Device is not null && v.Attempt.Priority < run.Priority && !promised.Contains(v.Device) && Usable(v.Device))
                .OrderByDescending(v => v.Attempt.Stopping).ThenBy(v => v.Attempt.Priority).ThenBy(v => v.Attempt.StepsAtRisk).ThenBy(v => v.Attempt.Id)
                .FirstOrDefault();
            if ((world.StoreOutage ?? run.Hold) is { } hold)
            {
                waiting.Add((run, hold));
            }
            else if (run.NotBefore > now)
            {
                waiting.Add((run, $"Its last attempt failed or was lost; it is tried again at {run.NotBefore:HH:mm:ss} UTC."));
            }
            else if (best is not null)
            {
                holders[best] = run.Name;
                commands.Add(new Place(run.Id, run.Version, best.WorkerId, best.Index, run.Needs.On(best.Class).MicroBatch, Peak(run, best)));
            }
            else if (victim.Device is { } device)
            {
                holders[device] = run.Name;
                promised.Add(device);
                if (!victim.Attempt.Stopping)
                {
                    commands.Add(new Preempt(victim.Attempt.Id, victim.Attempt.RunId, victim.Attempt.Epoch, run.Id));
                }

                waiting.Add((run, $"{victim.Attempt.RunName} gives way on {device.Name}; this run is next there."));
            }
            else
            {
                waiting.Add((run, null));
            }
        }

        return new Plan(commands, [.. waiting.Select(w => new Waiting(w.Run, w.Reason ?? Why(w.Run, devices, holders)))]);
    }

    private static long Peak(QueuedRun run, PoolDevice device) => Math.Max(0, run.Needs.On(device.Class).Bytes - (device.Kind == DeviceKind.Cpu ? 0 : 300L << 20));

    private static bool On(LiveAttempt attempt, PoolDevice device) => (attempt.WorkerId, attempt.DeviceIndex) == (device.WorkerId, device.Index);

    private static bool Allows(QueuedRun run, PoolDevice device) => run.Devices switch
    {
        "any" => true,
        "gpu" => device.Kind != DeviceKind.Cpu,
        "cpu" => device.Kind == DeviceKind.Cpu,
        var names => names.Split(", ").Any(n => n == device.WorkerName || n == device.Name),
    };

    private static string Why(QueuedRun run, List<PoolDevice> devices, Dictionary<PoolDevice, string?> holders)
    {
        var allowed = devices.Where(d => Allows(run, d)).ToList();
        var fitting = allowed.Where(d => run.Needs.On(d.Class).Fits).ToList();
        var there = fitting.Where(d => d.Online && !d.Draining).ToList();
        string busy = string.Join(" and ", there.Take(3).Select(d => $"{holders[d]} holds {d.Name}"));
        return devices.Count == 0 ? "No worker has joined the pool yet."
            : allowed.Count == 0 ? $"Set to run on {run.Devices}, and the pool has no such device."
            : fitting.Count == 0 ? TooSmall(run, allowed.MaxBy(d => d.MemoryBytes)!)
            : there.Count == 0 ? (fitting[0].Online ? $"{fitting[0].Name} takes no new runs: it is being drained." : $"Fits {fitting[0].Name}, which is away. Goes on when it comes back.")
            : there.Count == 1 ? $"Fits only {there[0].Name}. {busy}."
            : there.Count <= 3 ? $"Every device that fits is taken: {busy}."
            : $"All {there.Count} devices that fit are taken.";
    }

    private static string TooSmall(QueuedRun run, PoolDevice largest)
    {
        double needed = run.Needs.On(largest.Class).Bytes / (double)(1L << 30), has = largest.MemoryBytes / (double)(1L << 30);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Needs {needed:0.0} GB, and the largest device it may use, {largest.Name}, has {has:0.0}.");
    }
}
