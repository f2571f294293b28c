using System.Globalization;
using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training;

/// <summary>How a run stands to its device's memory, by the same forecast that a pool places it by (<see cref="RunChecks.Fit"/>).</summary>
/// <param name="Plan">The model.</param>
/// <param name="Spec">The run.</param>
/// <param name="Device"><c>cpu</c> or <c>cuda:N</c>.</param>
/// <param name="FreeBytes">Of the device before the model was built.</param>
public sealed record MemoryFit(ModelPlan Plan, RunSpec Spec, string Device, long FreeBytes)
{
    /// <summary>Rows of the global batch.</summary>
    public int BatchRows => Spec.Train.BatchTokens / Spec.Data.SeqLen;

    /// <summary>Rows at a time where neither spec nor job says: as many as fit, and where by forecast none do, one, with a warning.</summary>
    public (int Rows, string? Warning) Choose()
    {
        var fit = RunChecks.Fit(Plan, Spec, FreeBytes, Kind);
        return fit.Fits ? (fit.MicroBatch, null) : (1, $"{fit.Reason} It tries one row at a time.");
    }

    /// <summary>What to say when the device ran out of memory: at what, by which field, and what would fit.</summary>
    /// <param name="rows">Rows at a time.</param>
    /// <param name="cause">The allocator's words.</param>
    public string RanOut(int rows, string cause)
    {
        long least = MemoryForecast.Of(Plan, Spec.Recomputing(), 1, Kind).Total;
        return $"{Device} ran out of memory at {(rows == 1 ? "one row" : $"{rows} rows")} at a time (train.micro_batch), train.recompute: {Spec.Train.Recompute}. "
            + $"train.micro_batch: 1 with train.recompute: block needs {Gigabytes(least)} GB by forecast; {Gigabytes(FreeBytes)} GB were free. The allocator said: {cause.Split('\n')[0].Trim()}";
    }

    private DeviceKind Kind => Device == "cpu" ? DeviceKind.Cpu : DeviceKind.Cuda;

    private static string Gigabytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);
}
