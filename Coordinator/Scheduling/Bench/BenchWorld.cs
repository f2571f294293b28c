using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Bench;

/// <summary>A made-up pool: the families' main sizes in four batches each, on cards of four sizes, in all priorities.</summary>
internal sealed class BenchWorld
{
    internal static readonly DateTimeOffset Now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
    private const int PerWorker = 4;

    private static readonly (string Family, string Size)[] Models =
        [("qovaryx", "50m"), ("qovaryx", "350m"), ("moa", "150m"), ("positronic", "144m"), ("hybrid", "16mb"), ("vuaf", "micro")];

    private static readonly int[] Gigabytes = [8, 12, 24, 48];

    private readonly IReadOnlyList<(RunSpec Spec, RunNeeds Needs)> _kinds;

    internal BenchWorld(int runs, int devices, IReadOnlyList<(RunSpec Spec, RunNeeds Needs)> kinds)
    {
        _kinds = kinds;
        var pool = Enumerable.Range(0, devices).Select(Device).ToList();
        var queue = Enumerable.Range(0, runs).Select(Queued).ToList();
        Free = new Snapshot(queue, pool, [], true);
        Taken = new Snapshot(queue, pool, [.. pool.Select(Held)], true);
    }

    /// <summary>Nothing is placed yet.</summary>
    internal Snapshot Free { get; }

    /// <summary>Each device is held, by runs of all priorities.</summary>
    internal Snapshot Taken { get; }

    internal static IReadOnlyList<(RunSpec Spec, RunNeeds Needs)> Kinds() =>
    [
        .. Models.SelectMany(m => new[] { 1, 2, 4, 8 }.Select(times =>
        {
            var recipe = Families.Find(m.Family)!.Recipe(m.Size);
            var spec = recipe with { Train = recipe.Train with { BatchTokens = recipe.Train.BatchTokens * times, MicroBatch = 0 } };
            return (spec, NeedsCatalog.Forecast(spec, null));
        })),
    ];

    /// <summary>What a run needs, with nothing known of it yet.</summary>
    internal RunNeeds Anew(QueuedRun run)
    {
        var spec = _kinds.First(k => k.Needs == run.Needs).Spec;
        return new ModelNeeds(Families.Plan(spec.Model, [])!.Under(spec.Train, spec.Optimizer), spec, null);
    }

    private static Guid Id(int space, int number) => new(space, 0, 0, 0, 0, 0, 0, (byte)(number >> 24), (byte)(number >> 16), (byte)(number >> 8), (byte)number);

    private static PoolDevice Device(int number)
    {
        int worker = number / PerWorker;
        return new PoolDevice(Id(1, worker), $"w{worker}", number % PerWorker, DeviceKind.Cuda, "card", (long)Gigabytes[worker % Gigabytes.Length] << 30, Online: worker % 20 != 19, Draining: false);
    }

    private static LiveAttempt Held(PoolDevice device, int number) => new(
        Id(2, number), Id(3, number), $"held {number}", 1, device.WorkerId, device.Index, (RunPriority)(number % 3), number % 17 == 0, number % 500, Now.AddSeconds(8));

    private QueuedRun Queued(int number) => new(
        Id(4, number), $"run {number}", 1, (RunPriority)(number * 7 % 3), Now.AddSeconds(-number * 31 % 10_000), number % 50 == 0 ? Now.AddSeconds(20) : null, "any", _kinds[number % _kinds.Count].Needs);
}
