using System.Diagnostics;
using System.Globalization;
using Hearth.Kernels;
using Hearth.Models;
using Hearth.Protocol;
using Hearth.Runs;
using static TorchSharp.torch;

namespace Hearth.Training.Exactness;

/// <summary>
/// Trains each case twice from its start, and a third time from the second's checkpoint as if that one had been killed, first with recorded
/// steps and then with launched ones; every trace and every bit of the weights must be the same. A line for each comparison as it is made.
/// </summary>
/// <param name="log">Takes the lines.</param>
/// <param name="device">Where it trains.</param>
/// <param name="folder">For data and checkpoints, of which one at a time is there.</param>
/// <param name="record">How steps are recorded.</param>
public sealed class ExactnessSuite(TextWriter log, Device device, string folder, RecordWork record)
{
    // Rows enough for a few steps without reading any twice.
    private const int TrainedBatches = 4;

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Bytes of the device that nobody holds; null = as it says. Tests give a small one.</summary>
    public Func<Device, long>? FreeBytes { get; init; }

    /// <summary>Compute threads; 0 = libtorch's choice.</summary>
    public int Threads { get; init; }

    public int Passed { get; private set; }

    public int Failed { get; private set; }

    /// <summary>Cases that the device has no room for.</summary>
    public int Skipped { get; private set; }

    /// <summary>Runs the cases in their order, and closes with the three counts.</summary>
    public void Run(IEnumerable<ExactnessCase> cases)
    {
        foreach (var one in cases)
        {
            Run(one);
        }

        log.WriteLine($"{Passed} passed, {Failed} failed, {Skipped} skipped");
    }

    private void Run(ExactnessCase one)
    {
        var spec = one.Spec(saves: true);
        var errors = new List<FieldError>();
        var plan = Families.Plan(spec.Model, errors) ?? throw new BadInputException(string.Join(" ", errors.Select(e => e.Message)));
        Settle();
        long needed = MemoryForecast.Of(plan, spec, one.Rows, DeviceFacts.Kind(device)).Total, free = (FreeBytes ?? DeviceFacts.FreeBytes)(device);
        if (needed > free)
        {
            Skipped++;
            log.WriteLine($"skip   {one}: skipped: needs {Gibibytes(needed)} GiB, {Gibibytes(free)} GiB are free");
            return;
        }

        string data = SyntheticDataset.Write(folder, plan.VocabSize, TrainedBatches * spec.Train.BatchTokens, one.Rows * one.Length);
        try
        {
            var recorded = Straight(one, data, record);
            Twice(one, data, recorded, record, "recorded");
            var launched = Straight(one, data, null);
            Tell($"{one}: launched as recorded", launched.DifferenceFrom(recorded), launched);
            Twice(one, data, launched, null, "launched");
        }
        finally
        {
            if (Directory.Exists(Work))
            {
                Directory.Delete(Work, recursive: true);
            }
        }
    }

    private string Work => Path.Combine(folder, "run");

    private ExactnessRun Straight(ExactnessCase one, string data, RecordWork? how) => Train(one.Spec(saves: false), data, null, how);

    // The second run is the one that is killed: some steps behind its checkpoint, when it has been all the way that the first one went.
    private void Twice(ExactnessCase one, string data, ExactnessRun first, RecordWork? how, string name)
    {
        var second = Train(one.Spec(saves: true), data, null, how);
        Tell($"{one}: {name}, twice", second.DifferenceFrom(first), second);
        string what = $"{one}: {name}, killed and resumed after step {ExactnessCase.CheckpointStep}";
        if (second.Checkpoint is { } checkpoint)
        {
            var resumed = Train(one.Spec(saves: true), data, checkpoint, how);
            Tell(what, resumed.DifferenceFrom(first), resumed);
        }
        else
        {
            Tell(what, second.Failure ?? "there is no checkpoint", second);
        }
    }

    private ExactnessRun Train(RunSpec spec, string data, string? resume, RecordWork? how)
    {
        Settle();
        return ExactnessRun.Of(
            new TrainerJob { Spec = spec, PreparedPath = data, CachePath = folder, WorkPath = Work, ResumePath = resume, Device = device.index < 0 ? "cpu" : $"cuda:{device.index}", Threads = Threads },
            how);
    }

    // What the run before left to finalisers is not the next one's.
    private void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        DeviceMemory.GiveBack(device);
    }

    private void Tell(string what, string? difference, ExactnessRun run)
    {
        if (difference is null)
        {
            Passed++;
        }
        else
        {
            Failed++;
        }

        log.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{(difference is null ? "ok    " : "FAILED")} {what}: {difference ?? $"trace {run.Trace}{(run.Recordings > 0 ? $", {run.Recordings} recordings" : "")}"} ({Stopwatch.GetElapsedTime(_began).TotalSeconds:0.0} s)"));
        log.Flush();
    }

    private static string Gibibytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);
}
