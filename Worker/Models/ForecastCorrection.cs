using Hearth.Hardware;

namespace Hearth.Models;

/// <summary>The most of a device's memory that a run with so many rows at a time held, as its trainer reported it.</summary>
public readonly record struct MeasuredPeak(int Rows, long Bytes);

/// <summary>
/// Corrects a forecast by what runs of the same kind held on the same model of device. Rows that were measured count as measured; others by
/// the measured rows next to them, as peak over forecast. Both within bounds, since a peak is a worker's word and an allocator keeps
/// what it has once been given. Pure.
/// </summary>
/// <param name="peaks">One for each number of rows; any order.</param>
/// <param name="device">Kind of the device.</param>
public sealed class ForecastCorrection(IReadOnlyList<MeasuredPeak> peaks, DeviceKind device)
{
    /// <summary>Bounds of a measured peak, as shares of the forecast.</summary>
    public const double LeastMeasured = 0.5, MostMeasured = 2;

    /// <summary>Bounds of what is concluded for other rows.</summary>
    public const double LeastConcluded = 0.8, MostConcluded = 1.5;

    /// <param name="rows">Rows of the micro-batch.</param>
    /// <param name="forecast">Bytes by rows, by forecast (<see cref="MemoryForecast.Total"/>).</param>
    /// <returns>Bytes that so many rows take.</returns>
    public long Of(int rows, Func<int, long> forecast)
    {
        long own = forecast(rows);
        if (peaks.Count == 0)
        {
            return own;
        }

        // The nearest by ratio; of two that are as near, the one with more rows.
        var nearest = peaks.OrderBy(p => Math.Abs(Math.Log((double)p.Rows / rows))).ThenByDescending(p => p.Rows).First();
        double measured = (nearest.Bytes + MemoryForecast.BesidePeak(device)) / (double)forecast(nearest.Rows);
        double share = nearest.Rows == rows ? Math.Clamp(measured, LeastMeasured, MostMeasured) : Math.Clamp(measured, LeastConcluded, MostConcluded);
        return (long)(own * share);
    }
}
