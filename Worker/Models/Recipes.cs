using System.Text.Json;
using Hearth.Runs;

namespace Hearth.Models;

/// <summary>
/// What the families' recipes have in common. A recipe is a whole run but for its dataset: the form's preset, what
/// <c>runs new</c> writes, and what <c>bench learn</c> measures. It is never applied to a spec behind its author's back.
/// </summary>
internal static class Recipes
{
    public const string Nano = "nano";

    /// <summary>Tokens of a row of the size nano, which learns on a processor while one watches.</summary>
    public const int NanoLength = 128;

    /// <summary>A run of a size under its usual name.</summary>
    /// <param name="family">The recipe's family.</param>
    /// <param name="size">One of its sizes.</param>
    /// <param name="data">Row length and tokenizer; the dataset is left empty.</param>
    /// <param name="train">Length and batch.</param>
    /// <param name="optimizer">Everything about the update.</param>
    /// <param name="overrides">Fields of the family that the recipe sets apart from the size's.</param>
    public static RunSpec Of(Family family, string size, DataSpec data, TrainSpec train, OptimizerSpec optimizer, params (string Field, object Value)[] overrides)
    {
        var spec = new RunSpec
        {
            Name = $"{family.Name}-{size}",
            Model = new ModelSpec
            {
                Family = family.Name,
                Size = size,
                Overrides = overrides.ToDictionary(o => o.Field, o => JsonSerializer.SerializeToElement(o.Value), StringComparer.Ordinal),
            },
            Data = data,
            Train = train,
            Optimizer = optimizer,
        };
        return size == Nano ? Watched(spec) : spec;
    }

    /// <summary>Rows that grow: each length up to its share of the run's steps, the last one to the end.</summary>
    public static LengthCurriculum Growing(int steps, params (int Length, double UntilShare)[] stages) => new(
        [.. stages.Select((s, i) => new LengthStage(s.Length, i == stages.Length - 1 ? LengthCurriculum.Forever : (int)(s.UntilShare * steps)))]);

    // A run of a minute says something every few seconds.
    private static RunSpec Watched(RunSpec spec) => spec with
    {
        Eval = new EvalSpec { EverySteps = spec.Train.Steps / 10, Rows = 32 },
        Sample = new SampleSpec { EverySteps = spec.Train.Steps / 4 },
        Checkpoint = new CheckpointSpec { EverySteps = spec.Train.Steps / 4 },
    };
}
