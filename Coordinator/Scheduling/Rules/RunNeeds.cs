using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>What a kind of run takes on a class of devices.</summary>
/// <param name="MicroBatch">Rows at a time; 0 where it does not fit.</param>
/// <param name="Bytes">Of the device's memory; where it does not fit, the least that it would need.</param>
/// <param name="Reason">Why it does not fit; empty where it does.</param>
/// <param name="Remedy">A sentence on what would make it fit; empty where nothing simple would.</param>
public sealed record Need(bool Fits, int MicroBatch, long Bytes, string Reason, string Remedy = "")
{
    /// <summary>Of <see cref="Bytes"/>, what a trainer will report as its peak.</summary>
    internal long PeakOn(DeviceKind device) => Math.Max(0, Bytes - MemoryForecast.BesidePeak(device));
}

/// <summary>What a kind of run takes of a device. Compared by reference: runs of one kind share the object.</summary>
public abstract class RunNeeds
{
    public abstract Need On(DeviceClass device);
}

/// <summary>By the forecast of its model, corrected by what such runs have held; after running out of memory, with fewer rows at a time. Asked once for each class of devices.</summary>
public sealed class ModelNeeds : RunNeeds
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<DeviceClass, Need> _known = new();
    private readonly RunForecast _given;
    private readonly RunForecast? _limited;
    private readonly int? _limit;
    private readonly ReportedPeaks _peaks;

    /// <param name="plan">The model.</param>
    /// <param name="spec">The run.</param>
    /// <param name="limit">Most rows of a micro-batch; null = as many as fit.</param>
    public ModelNeeds(ModelPlan plan, RunSpec spec, int? limit)
        : this(
            // A number of rows that the spec names is not raised by the limit.
            new RunForecast(plan, limit < spec.Train.MicroBatch ? With(spec, limit.Value) : spec),
            limit is { } rows ? new RunForecast(plan, With(spec, rows)) : null,
            limit,
            ReportedPeaks.None)
    {
    }

    private ModelNeeds(RunForecast given, RunForecast? limited, int? limit, ReportedPeaks peaks) => (_given, _limited, _limit, _peaks) = (given, limited, limit, peaks);

    /// <summary>The same by other peaks; what is forecast stays forecast. This object where they are the same.</summary>
    public ModelNeeds By(ReportedPeaks peaks) => peaks.Equals(_peaks) ? this : new ModelNeeds(_given, _limited, _limit, peaks);

    public override Need On(DeviceClass device) => _known.TryGetValue(device, out var need) ? need : _known.GetOrAdd(device, Forecast(device));

    private static RunSpec With(RunSpec spec, int microBatch) => spec with { Train = spec.Train with { MicroBatch = microBatch } };

    private Need Forecast(DeviceClass device)
    {
        var measured = _peaks.On(device);
        var fit = _given.On(device.MemoryBytes, device.Kind, measured);
        if (fit.Fits && fit.MicroBatch > _limit)
        {
            fit = _limited!.On(device.MemoryBytes, device.Kind, measured);
        }

        return new Need(fit.Fits, fit.MicroBatch, fit.NeededBytes, fit.Reason, fit.Remedy);
    }
}

/// <summary>A run whose model cannot be built here, and why: it waits, and stops nobody else.</summary>
public sealed class Unbuildable(string why) : RunNeeds
{
    public override Need On(DeviceClass device) => new(false, 0, 0, why);
}
