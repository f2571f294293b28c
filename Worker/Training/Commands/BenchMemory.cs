using System.Globalization;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Runs;
using static TorchSharp.torch;

namespace Hearth.Training.Commands;

/// <summary>
/// <c>bench memory</c>: what every family's main size was forecast to take beside what the device's allocator took, with and without
/// recomputation, masters and accumulation, under each optimizer, at two row counts. Ends with an error when any forecast is out of bounds.
/// </summary>
internal static class BenchMemory
{
    /// <summary>A forecast may be off by this share of what was taken.</summary>
    private const double Allowed = 0.15;

    // Two runs before something is recorded, the recording and one replay.
    private const int Steps = 4;

    private static readonly (string Family, string Size, int Length, int[] Rows)[] Sizes =
    [
        ("qovaryx", "50m", 2048, [16, 4]),
        ("qovaryx", "350m", 2048, [8, 2]),
        ("qovaryx", "1b", 2048, [4, 1]),
        ("vuaf", "femto", 512, [64, 16]),
        ("moa", "150m", 1024, [8, 2]),
        ("hybrid", "16mb", 1024, [32, 8]),
        ("positronic", "144m", 1024, [4, 2]),
    ];

    /// <summary>One way to train a size.</summary>
    private sealed record Way(string Precision, string Optimizer, string Master, string Recompute, int MicroBatches = 1)
    {
        public override string ToString() =>
            $"{Precision} {Optimizer}{(Master == "none" ? " no masters" : "")}{(Recompute == "block" ? " recompute" : "")}{(MicroBatches > 1 ? $" {MicroBatches} micro-batches" : "")}";
    }

    private static readonly Way[] Ways =
    [
        new("bf16", "adamw", "fp32", "none"),
        new("bf16", "adamw", "fp32", "none", 2),
        new("bf16", "adamw", "fp32", "block"),
        new("bf16", "adamw", "fp32", "block", 2),
        new("bf16", "adamw8bit", "fp32", "none"),
        new("bf16", "muon", "fp32", "none"),
        new("bf16", "adamw8bit", "none", "none"),
        new("bf16", "adamw8bit", "none", "block"),
        new("fp32", "adamw", "fp32", "none"),
        new("fp32", "adamw", "fp32", "block"),
    ];

    internal static int Run(Device on, string? family)
    {
        int off = 0, all = 0;
        Console.WriteLine($"{"model",-16} {"rows x tokens",13}  {"way",-34} {"forecast GB",11} {"reserved GB",11} {"held GB",8} {"share",8}");
        foreach (var (name, size, length, rows) in Sizes.Where(s => family is null || s.Family == family))
        {
            foreach (var way in Ways)
            {
                foreach (int count in rows)
                {
                    if (Measure(on, new ModelSpec { Family = name, Size = size }, way, count, length) is not { } share)
                    {
                        continue;
                    }

                    all++;
                    off += Math.Abs(share - 1) > Allowed ? 1 : 0;
                }
            }
        }

        Console.WriteLine($"{all - off} passed, {off} failed");
        return off == 0 && all > 0 ? ExitCodes.Done : ExitCodes.Crashed;
    }

    // Null where the family does not train so.
    private static double? Measure(Device on, ModelSpec spec, Way way, int rows, int length)
    {
        var how = new OptimizerSpec { Name = way.Optimizer, Lr = 1e-4 };
        var plan = Families.Plan(spec, new List<FieldError>())!;
        if (way.Master == "none" && plan.MastersNeeded is not null)
        {
            return null;
        }

        plan.Under(new TrainSpec { Master = way.Master }, how);
        double forecast = MemoryForecast.Of(plan, rows, length, way.Precision, how, recompute: way.Recompute, device: DeviceFacts.Kind(on), accumulates: way.MicroBatches > 1).Reserved;
        string told = string.Create(CultureInfo.InvariantCulture, $"{spec.Family + " " + spec.Size,-16} {rows + " x " + length,13}  {way,-34} {forecast / 1e9,11:0.00}");

        // What the run before left to finalisers counts for it, not for this one.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        DeviceMemory.GiveBack(on);
        var run = new BenchRun(plan, how, rows, length, Steps, on, way.Precision == "bf16" ? bfloat16 : float32, way.Recompute == "block", way.MicroBatches);
        try
        {
            run.Step();
        }
        catch (Exception e) when (Failures.Classify(e).Exit == ExitCodes.OutOfMemory)
        {
            Console.WriteLine($"{told} {"out of memory",11}");
            return null;
        }

        double share = forecast / run.Memory.PeakReserved;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{told} {run.Memory.PeakReserved / 1e9,11:0.00} {run.Memory.PeakAllocated / 1e9,8:0.00} {share,8:0.00}{(run.Refusal is { } why ? $"  not recorded: {why}" : "")}"));
        return share;
    }
}
