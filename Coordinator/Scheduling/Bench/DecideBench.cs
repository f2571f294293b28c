using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hearth.Coordinator.Scheduling.Rules;

namespace Hearth.Coordinator.Scheduling.Bench;

/// <summary>What one size of pool took.</summary>
/// <param name="First">The first pass, with the forecasts that all later ones know.</param>
/// <param name="Free">A pass that fills an empty pool, middle of all.</param>
/// <param name="Taken">A pass over a full pool, where every run waits and is told why, middle of all.</param>
/// <param name="Most">The slowest of all passes but the first.</param>
/// <param name="EachByEach">Every run asking every device for itself, as before runs were judged by kind; null = not measured.</param>
public sealed record DecideFigures(int Runs, int Devices, double First, double Free, double Taken, double Most, double? EachByEach);

/// <summary>
/// <c>bench decide</c>: milliseconds of a pass of <see cref="Scheduler.Decide"/> over worlds of several sizes. Needs no database and no pool.
/// </summary>
internal static class DecideBench
{
    private const int FewPairs = 2_000;
    private const int Passes = 21;

    private static readonly (int Runs, int Devices)[] Sizes = [(100, 20), (1_000, 100), (10_000, 1_000)];

    /// <summary>Runs the command.</summary>
    /// <param name="arguments"><c>--json</c>: figures as JSON. <c>--each</c>: measures each by each in 1,000 × 100 too, which takes long.</param>
    /// <param name="output">Gets the figures.</param>
    /// <returns>The exit code.</returns>
    internal static int Run(IReadOnlyList<string> arguments, TextWriter output)
    {
        if (arguments.FirstOrDefault(a => a is not ("--json" or "--each")) is { } unknown)
        {
            output.WriteLine($"bench decide does not know {unknown}. Allowed: --json, --each.");
            return 2;
        }

        var all = Sizes.Select(s => Measure(s.Runs, s.Devices, arguments.Contains("--each"))).ToList();
        if (arguments.Contains("--json"))
        {
            output.WriteLine(JsonSerializer.Serialize(all, Json.Pretty));
        }
        else
        {
            output.WriteLine("ms a pass          first   pool free   pool taken     most   each run and device by itself");
            all.ForEach(f => output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{f.Runs,6:N0} × {f.Devices,-5:N0} {f.First,9:N1} {f.Free,11:N2} {f.Taken,12:N2} {f.Most,8:N2}   {(f.EachByEach is { } each ? each.ToString("N0", CultureInfo.InvariantCulture) : "–"),8}")));
        }

        return 0;
    }

    private static DecideFigures Measure(int runs, int devices, bool each)
    {
        long began = Stopwatch.GetTimestamp();
        var kinds = BenchWorld.Kinds();
        double forecasts = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        var world = new BenchWorld(runs, devices, kinds);
        double first = forecasts + Time(world.Free);
        var free = Repeat(world.Free);
        var taken = Repeat(world.Taken);
        bool few = runs * devices <= FewPairs || (each && runs * devices <= FewPairs * 50);
        return new DecideFigures(runs, devices, first, Middle(free), Middle(taken), free.Concat(taken).Max(), few ? EachByEach(world) : null);
    }

    private static List<double> Repeat(Snapshot world) => [.. Enumerable.Range(0, Passes).Select(_ => Time(world))];

    private static double Middle(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static double Time(Snapshot world)
    {
        long began = Stopwatch.GetTimestamp();
        var plan = Scheduler.Decide(world, BenchWorld.Now);
        double milliseconds = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        Trace.Assert(plan.Commands.Count + plan.Waiting.Count >= world.Queue.Count, "every run is placed or told why not");
        return milliseconds;
    }

    // A forecast of its own for each pair, once: what looking for a place alone used to cost.
    private static double EachByEach(BenchWorld world)
    {
        long began = Stopwatch.GetTimestamp();
        int fits = 0;
        foreach (var run in world.Free.Queue)
        {
            foreach (var device in world.Free.Devices)
            {
                fits += world.Anew(run).On(device.Class).Fits ? 1 : 0;
            }
        }

        Trace.Assert(fits > 0, "some run fits some device");
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }
}
