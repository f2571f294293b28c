using Hearth.Coordinator.Scheduling.Cycle;
using Hearth.Coordinator.Scheduling.Rules;
using Hearth.Hardware;
using Hearth.Models;
using Hearth.Runs;
using Xunit;

namespace Hearth.Tests.Scheduling;

/// <summary>What runs held on a card decides where the next of their kind goes on cards of its model, and there alone.</summary>
public sealed class CorrectedForecasts
{
    private const long Beside = 300L << 20;
    private static readonly RunSpec Spec = new()
    {
        Name = "a",
        Model = new ModelSpec { Family = "qovaryx", Size = "50m" },
        Data = new DataSpec { Dataset = "docs", SeqLen = 1024 },
        Train = new TrainSpec { BatchTokens = 16 * 1024 },
    };

    /// <summary>Rows asked after, rows and bytes measured, and what comes out where the forecast says 1,000,000,000 a row.</summary>
    public static TheoryData<int, (int Rows, long Bytes)[], long> Corrections => new()
    {
        { 4, [], 4_000_000_000 },
        { 4, [(4, 5_000_000_000)], 5_000_000_000 },
        { 4, [(4, 3_000_000_000)], 3_000_000_000 },
        { 4, [(4, 1)], 2_000_000_000 },
        { 4, [(4, 90_000_000_000)], 8_000_000_000 },
        { 2, [(4, 4_400_000_000)], 2_200_000_000 },
        { 2, [(4, 1)], 1_600_000_000 },
        { 2, [(4, 90_000_000_000)], 3_000_000_000 },
        { 8, [(1, 1_400_000_000), (4, 4_400_000_000)], 8_800_000_000 },
        { 2, [(1, 1_400_000_000), (4, 4_400_000_000)], 2_200_000_000 },
    };

    [Theory]
    [MemberData(nameof(Corrections))]
    public void Measured_rows_count_as_measured_and_others_by_the_nearest_both_within_bounds(int rows, (int Rows, long Bytes)[] measured, long bytes)
    {
        var onCpu = new ForecastCorrection([.. measured.Select(m => new MeasuredPeak(m.Rows, m.Bytes))], DeviceKind.Cpu);
        var onCard = new ForecastCorrection([.. measured.Select(m => new MeasuredPeak(m.Rows, m.Bytes - Beside))], DeviceKind.Cuda);

        Assert.Equal(bytes, onCpu.Of(rows, r => r * 1_000_000_000L), 10.0);
        Assert.Equal(bytes, onCard.Of(rows, r => r * 1_000_000_000L), 10.0);
    }

    [Fact]
    public void Whatever_was_reported_a_run_that_fits_by_forecast_is_placed_and_never_beyond_the_card()
    {
        var random = new Random(11);
        var forecast = Assert.IsType<ModelNeeds>(NeedsCatalog.Forecast(Spec, null));
        for (int i = 0; i < 300; i++)
        {
            var card = new DeviceClass(DeviceKind.Cuda, random.NextInt64(1L << 30, 24L << 30), "card");
            var peaks = Enumerable.Range(0, random.Next(1, 5)).Select(n => new ReportedPeak("card", 1 << n, random.NextInt64(1, 48L << 30)));

            var corrected = forecast.By(new ReportedPeaks(peaks)).On(card);

            Assert.True(corrected.Fits || !forecast.On(card).Fits);
            Assert.True(!corrected.Fits || (corrected.Bytes <= card.MemoryBytes && 16 % corrected.MicroBatch == 0));
        }
    }

    [Fact]
    public void A_peak_above_the_forecast_takes_fewer_rows_on_its_model_of_card_alone()
    {
        var forecast = Assert.IsType<ModelNeeds>(NeedsCatalog.Forecast(Spec, null));
        var card = new DeviceClass(DeviceKind.Cuda, forecast.On(new DeviceClass(DeviceKind.Cuda, 80L << 30, "")).Bytes * 10 / 9, "3090");
        var corrected = forecast.By(new ReportedPeaks([new ReportedPeak("3090", 16, card.MemoryBytes)]));

        Assert.Equal((16, 8), (forecast.On(card).MicroBatch, corrected.On(card).MicroBatch));
        Assert.Equal(16, corrected.On(card with { Model = "4090" }).MicroBatch);
    }

    [Fact]
    public void The_same_peaks_in_any_order_leave_what_is_known()
    {
        ReportedPeak[] peaks = [new("a", 1, 5), new("b", 2, 6)];
        var needs = Assert.IsType<ModelNeeds>(NeedsCatalog.Forecast(Spec, null)).By(new ReportedPeaks(peaks));

        Assert.Same(needs, needs.By(new ReportedPeaks(peaks.Reverse())));
        Assert.NotSame(needs, needs.By(new ReportedPeaks([peaks[0]])));
    }
}
