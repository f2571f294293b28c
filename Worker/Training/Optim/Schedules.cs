using Hearth.Runs;

namespace Hearth.Training.Optim;

/// <summary>Learning rates as pure functions of the step, so that resuming is exact.</summary>
public static class Schedules
{
    /// <param name="optimizer">Peak, warm-up, floor and shape.</param>
    /// <param name="step">Zero-based.</param>
    /// <param name="steps">Of the whole run.</param>
    public static double LearningRate(OptimizerSpec optimizer, long step, long steps) => optimizer.Lr * Factor(optimizer, step, steps);

    /// <summary>Linear rise (t+1)/n over n warm-up steps; then cosine to the floor over the rest, or constant.</summary>
    public static double Factor(OptimizerSpec optimizer, long step, long steps)
    {
        if (step < optimizer.WarmupSteps)
        {
            return (step + 1.0) / optimizer.WarmupSteps;
        }

        if (optimizer.Schedule == "constant")
        {
            return 1;
        }

        long rest = steps - optimizer.WarmupSteps;
        double done = rest <= 0 ? 1 : Math.Min(1, (step - optimizer.WarmupSteps) / (double)rest);
        return optimizer.FinalLrFraction + ((1 - optimizer.FinalLrFraction) * 0.5 * (1 + Math.Cos(Math.PI * done)));
    }
}
