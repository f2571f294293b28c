using Hearth.Models;
using Hearth.Runs;

namespace Hearth.Training.Exactness;

/// <summary>
/// A model and the short run that must end with the same bits every time. In its few steps it has all that lies between steps and could
/// disturb them: evaluations, samples, rows that grow, several micro-batches to a batch, a schedule that rises and falls, and the family's own
/// optimizer, average and quantisation.
/// </summary>
/// <param name="Model">Family, size and the fields that differ from the size's.</param>
/// <param name="Length">Tokens of a row, T; those of the first stage have half as many.</param>
/// <param name="Rows">Rows of a micro-batch.</param>
/// <param name="Precision"><c>bf16</c> or <c>fp32</c>.</param>
public sealed record ExactnessCase(ModelSpec Model, int Length, int Rows, string Precision)
{
    public const string Narrow = "bf16", Wide = "fp32";

    /// <summary>Steps of the run.</summary>
    public const int Steps = 8;

    /// <summary>Finished steps in the checkpoint that a killed run goes on from.</summary>
    public const int CheckpointStep = 5;

    /// <summary>Steps of the first stage. A recording takes three micro-batches to come about: both stages, and what is resumed, have some that it replays.</summary>
    public const int StageSteps = 3;

    private const int MicroBatches = 2;

    // Families by how far their traces were apart when they were last not exact; models of a thousand million weights take longest.
    private static readonly (string Family, string Size, int Length, int Rows)[] Sizes =
    [
        ("qovaryx", "50m", 2048, 2),
        ("vuaf", "femto", 512, 4),
        ("moa", "150m", 1024, 2),
        ("positronic", "144m", 1024, 2),
        ("hybrid", "16mb", 1024, 4),
        ("qovaryx", "350m", 2048, 2),
        ("qovaryx", "1b", 2048, 1),
    ];

    /// <summary>Every family at the sizes and row lengths that are really trained, in the order of what each tells: bf16 first, then fp32.</summary>
    public static IReadOnlyList<ExactnessCase> MainSizes { get; } =
    [
        .. from precision in new[] { Narrow, Wide }
           from size in Sizes
           select new ExactnessCase(new ModelSpec { Family = size.Family, Size = size.Size }, size.Length, size.Rows, precision),
    ];

    /// <summary>The run.</summary>
    /// <param name="saves">Whether it writes its checkpoint.</param>
    public RunSpec Spec(bool saves) => new()
    {
        Name = "exactness",
        Model = Model,
        Data = new DataSpec { Dataset = "synthetic", SeqLen = Length },
        Train = new TrainSpec
        {
            Steps = Steps,
            BatchTokens = MicroBatches * Rows * Length,
            MicroBatch = Rows,
            Precision = Precision,
            LengthCurriculum = new LengthCurriculum([new(Length / 2, StageSteps), new(Length, LengthCurriculum.Forever)]),
        },
        Optimizer = Families.Find(Model.Family)!.Recipe(Model.Size).Optimizer with
        {
            WarmupSteps = 2,

            // Where the schedule falls so, and the family has a quantiser, the step after the checkpoint is the first on quantised weights.
            WarmdownSteps = Steps - CheckpointStep + 1,
            QatLrFraction = 0.8,
        },
        Eval = new EvalSpec { EverySteps = 2, Rows = Rows },
        Sample = new SampleSpec { EverySteps = 3, MaxTokens = 3 },
        Checkpoint = new CheckpointSpec { EverySteps = saves ? CheckpointStep : 0, KeepLast = 1 },
    };

    public override string ToString() => $"{Model.Family} {Model.Size}, {MicroBatches} x {Rows} x {Length}, {Precision}";
}
