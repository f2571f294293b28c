using Hearth.Models;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>A peak of one kind of run.</summary>
/// <param name="Model">Of the device.</param>
/// <param name="Rows">Of the micro-batch.</param>
/// <param name="Bytes">The most that recent runs held.</param>
public readonly record struct ReportedPeak(string Model, int Rows, long Bytes);

/// <summary>What runs of one kind have held at most, by model of device and rows. Equal where all peaks are.</summary>
public sealed class ReportedPeaks : IEquatable<ReportedPeaks>
{
    private readonly IReadOnlyList<ReportedPeak> _all;

    /// <param name="all">One for each model and number of rows; any order.</param>
    public ReportedPeaks(IEnumerable<ReportedPeak> all) => _all = [.. all.OrderBy(p => p.Model, StringComparer.Ordinal).ThenBy(p => p.Rows)];

    public static ReportedPeaks None { get; } = new([]);

    /// <summary>What corrects the forecast on a class of devices; null where nothing was reported from its model.</summary>
    public ForecastCorrection? On(DeviceClass device)
    {
        MeasuredPeak[] here = [.. _all.Where(p => p.Model == device.Model).Select(p => new MeasuredPeak(p.Rows, p.Bytes))];
        return here.Length == 0 ? null : new ForecastCorrection(here, device.Kind);
    }

    public bool Equals(ReportedPeaks? other) => other is not null && _all.SequenceEqual(other._all);

    public override bool Equals(object? obj) => Equals(obj as ReportedPeaks);

    public override int GetHashCode() => _all.Aggregate(0, HashCode.Combine);
}
