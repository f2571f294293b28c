namespace Hearth.Models;

/// <summary>
/// Where in a run a training micro-batch stands. Whatever a loss draws or schedules is a pure function of this; a family turns it into
/// <see cref="StepChoices"/> and tensors before its loss runs.
/// </summary>
/// <param name="Seed">The run's.</param>
/// <param name="Step">Optimizer steps before this one.</param>
/// <param name="TotalSteps">Of the run.</param>
/// <param name="LrFactor">The schedule's factor at this step, 0..1.</param>
/// <param name="FirstRow">Index of the micro-batch's first row in the whole batch.</param>
public sealed record TrainingStep(long Seed, long Step, long TotalSteps, double LrFactor, long FirstRow)
{
    /// <summary>Families with a quantiser compute with quantised weights; once on in a run it stays on.</summary>
    public bool Quantize { get; init; }
}

/// <summary>
/// What the host decides of a training step's work: a value, equal for steps that queue the same work, and so the part of a recorded
/// step's key that a family states. A family with choices derives its own, of plain values alone.
/// </summary>
public record StepChoices
{
    /// <summary>Of a family whose steps all do the same.</summary>
    public static StepChoices None { get; } = new();
}
