using Hearth.Runs;

namespace Hearth.Training.Optim;

/// <summary>
/// Courses of a run as pure functions of the step, so that resuming is exact. Steps are zero-based. Every step has the same tokens, in
/// each stage of a length curriculum too, so a course over steps is one over tokens.
/// </summary>
public static class Schedules
{
    private const int LongestDefaultWarmdown = 3500;

    /// <summary>Linear rise (t+1)/n over n warm-up steps, then the named course; a factor on every peak learning rate.</summary>
    /// <param name="optimizer">Warm-up, shape and floor.</param>
    /// <param name="step">Of the run.</param>
    /// <param name="steps">Of the whole run.</param>
    public static double Factor(OptimizerSpec optimizer, long step, long steps)
    {
        if (step < optimizer.WarmupSteps)
        {
            return (step + 1.0) / optimizer.WarmupSteps;
        }

        return optimizer.Schedule switch
        {
            "constant" => 1,
            "wsd" => Wsd(step, steps, optimizer.DecayFraction, optimizer.FinalLrFraction),
            "warmdown" => Warmdown(step, steps, optimizer.WarmdownSteps),
            _ => Cosine(step - optimizer.WarmupSteps, steps - optimizer.WarmupSteps, optimizer.FinalLrFraction),
        };
    }

    /// <summary>Muon's momentum: linear from its start to its final value, or constant.</summary>
    public static double Momentum(OptimizerSpec optimizer, long step) => optimizer.MuonMomentumStart <= 0
        ? optimizer.MuonMomentum
        : optimizer.MuonMomentumStart + ((optimizer.MuonMomentum - optimizer.MuonMomentumStart) * Math.Min(1, step / (double)optimizer.MuonMomentumSteps));

    /// <summary>
    /// Decay d of the weights' average at the update that follows <paramref name="step"/> earlier ones. With snapshots: 0 before the
    /// first, so that the average is the weights; (j−1)/j at the j-th; 1 between them.
    /// </summary>
    public static double AverageDecay(OptimizerSpec optimizer, long step, long steps) => optimizer switch
    {
        { SwaSnapshots: > 0 } => SnapshotDecay(optimizer, step + 1, steps),
        { EmaSchedule: "warmup" } => Math.Min(optimizer.Ema, (1.0 + step) / (10.0 + step)),
        _ => optimizer.Ema,
    };

    /// <summary>Whether quantised training starts here; a low factor on the way up does not count.</summary>
    public static bool StartsQuantizing(OptimizerSpec optimizer, long step, long steps) =>
        step >= optimizer.WarmupSteps && Factor(optimizer, step, steps) < optimizer.QatLrFraction;

    // Snapshot j of k is taken after the step that completes j/k of the decay phase.
    private static double SnapshotDecay(OptimizerSpec optimizer, long done, long steps)
    {
        double share = optimizer.Schedule == "warmdown" ? WarmdownLength(steps, optimizer.WarmdownSteps) : optimizer.DecayFraction * steps;
        long length = Math.Clamp((long)share, 1, steps), into = done - (steps - length), snapshots = Math.Min(optimizer.SwaSnapshots, length);
        long taken = into <= 0 ? 0 : Math.Min(into, length) * snapshots / length, before = into <= 1 ? 0 : Math.Min(into - 1, length) * snapshots / length;
        return taken == before ? (taken == 0 ? 0 : 1) : (taken - 1.0) / taken;
    }

    private static double Cosine(long step, long steps, double floor)
    {
        double done = steps <= 0 ? 1 : Math.Min(1, step / (double)steps);
        return floor + ((1 - floor) * 0.5 * (1 + Math.Cos(Math.PI * done)));
    }

    private static double Wsd(long step, long steps, double share, double floor)
    {
        double length = share * steps, left = Math.Max(0, steps - step);
        return left >= length ? 1 : floor + ((1 - floor) * left / length);
    }

    private static double Warmdown(long step, long steps, int asked)
    {
        return Math.Min(1, Math.Max(0, steps - step) / WarmdownLength(steps, asked));
    }

    private static double WarmdownLength(long steps, int asked) => asked > 0 ? asked : Math.Min(LongestDefaultWarmdown, steps / 4.0);
}
