using System.Globalization;
using Hearth.Runs;

namespace Hearth.Training.Optim;

/// <summary>What whoever asks for an average of the weights should know before the first step.</summary>
public static class AverageNotice
{
    private const double MostOfTheStart = 0.05;

    /// <summary>A warning where the moving average reaches further back than the run, so that its start is in what is exported; null where it does not.</summary>
    public static string? Of(RunSpec spec)
    {
        var optimizer = spec.Optimizer;
        if (optimizer.Ema <= 0 || optimizer.SwaSnapshots > 0 || optimizer.EmaSchedule == "warmup")
        {
            return null;
        }

        // The average starts at the first weights, which keep d^n of it after n steps.
        double start = Math.Pow(optimizer.Ema, spec.Train.Steps), horizon = 1 / (1 - optimizer.Ema);
        return start < MostOfTheStart ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"optimizer.ema {optimizer.Ema} averages over {horizon:0} steps, and the run has {spec.Train.Steps}: at its end {start:P0} of the average, which is evaluated, sampled and exported, are the weights from before the first step. optimizer.ema_schedule: warmup suits short runs.");
    }
}
