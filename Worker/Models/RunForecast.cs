using System.Globalization;
using Hearth.Hardware;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>
/// What a run takes of memory by the rows of its micro-batch. Each number of rows is forecast once, whatever the number of devices
/// that are asked after. Safe for any number of threads.
/// </summary>
/// <param name="plan">The model.</param>
/// <param name="spec">The run.</param>
public sealed class RunForecast(ModelPlan plan, RunSpec spec)
{
    private const double UsableShare = 0.92;

    private readonly Needs _onCard = new(plan, spec, DeviceKind.Cuda), _onCpu = new(plan, spec, DeviceKind.Cpu);
    private readonly Lazy<RunForecast?> _recomputing = new(() => spec.Train.Recompute == "none" ? new RunForecast(plan, spec.Recomputing()) : null);

    /// <summary>The largest micro-batch that divides the batch and fits a device of so many bytes, or why none does.</summary>
    /// <param name="deviceBytes">All of the device's memory.</param>
    /// <param name="kind">Of the device.</param>
    /// <param name="measured">What such runs held on that model of device; null = nothing is known. It may take a run to fewer rows, it never turns one away.</param>
    public FitResult On(long deviceBytes, DeviceKind kind, ForecastCorrection? measured = null)
    {
        var needs = kind is DeviceKind.Cpu ? _onCpu : _onCard;
        if (spec.Train.Precision == "fp64" && kind is DeviceKind.Cuda or DeviceKind.Rocm)
        {
            return new FitResult(false, 0, 0, needs.OneRow, "fp64 runs on a CPU only.");
        }

        long usable = (long)(deviceBytes * UsableShare);
        foreach (var (rows, forecast) in needs.ByRows)
        {
            long corrected = measured?.Of(rows, needs.Of) ?? forecast;
            long bytes = rows == needs.ByRows[^1].Rows ? Math.Min(corrected, forecast) : corrected;
            if (bytes <= usable)
            {
                return new FitResult(true, rows, spec.Train.BatchTokens / spec.Data.SeqLen / rows, bytes, "");
            }
        }

        // The last candidate has the fewest rows.
        int least = Math.Max(1, spec.Train.MicroBatch);
        long needed = Math.Max(needs.OneRow, needs.ByRows[^1].Bytes);
        string reason = $"Needs {Gigabytes(needed)} GB even at {Rows(least)} at a time; the device has {Gigabytes(deviceBytes)} GB.";
        string remedy = _recomputing.Value?.On(deviceBytes, kind) is { Fits: true } other ? $"Fits with train.recompute: block, {Rows(other.MicroBatch)} at a time." : "";
        return new FitResult(false, 0, 0, needed, $"{reason} {remedy}".TrimEnd()) { Remedy = remedy };
    }

    private static IEnumerable<int> Candidates(RunSpec spec) => spec.Train.MicroBatch > 0 ? [spec.Train.MicroBatch] : Divisors(spec.Train.BatchTokens / spec.Data.SeqLen);

    // Largest first.
    private static IEnumerable<int> Divisors(int whole)
    {
        var small = new List<int>();
        for (int d = 1; (long)d * d <= whole; d++)
        {
            if (whole % d == 0)
            {
                small.Add(d);
                yield return whole / d;
            }
        }

        for (int i = small.Count - 1; i >= 0; i--)
        {
            if (small[i] * small[i] != whole)
            {
                yield return small[i];
            }
        }
    }

    private static string Rows(int count) => count == 1 ? "one row" : $"{count} rows";

    private static string Gigabytes(long bytes) => (bytes / (double)(1L << 30)).ToString("0.0", CultureInfo.InvariantCulture);

    private sealed class Needs(ModelPlan plan, RunSpec spec, DeviceKind device)
    {
        private readonly Lazy<IReadOnlyList<(int Rows, long Bytes)>> _byRows = new(() => [.. Candidates(spec).Select(rows => (rows, Bytes(plan, spec, rows, device)))]);
        private readonly Lazy<long> _oneRow = new(() => Bytes(plan, spec, 1, device));

        /// <summary>Largest number of rows first.</summary>
        public IReadOnlyList<(int Rows, long Bytes)> ByRows => _byRows.Value;

        public long OneRow => _oneRow.Value;

        public long Of(int rows) => ByRows.FirstOrDefault(r => r.Rows == rows) is { Rows: > 0, Bytes: var bytes } ? bytes : Bytes(plan, spec, rows, device);

        private static long Bytes(ModelPlan plan, RunSpec spec, int rows, DeviceKind device) => MemoryForecast.Of(plan, spec, rows, device).Total;
    }
}
