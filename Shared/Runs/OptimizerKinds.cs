namespace Hearth.Runs;

/// <summary>What an optimizer's state depends on in a parameter.</summary>
/// <param name="Elements">All of them.</param>
/// <param name="MatrixElements">Those in whole matrices, which Muon takes.</param>
/// <param name="LooksUp">A table that tokens look rows up in.</param>
/// <param name="SkipsEmptyRows">Rows without gradient keep weights and moments exactly.</param>
public readonly record struct ParameterShape(long Elements, long MatrixElements, bool LooksUp, bool SkipsEmptyRows);

/// <summary>An optimizer that a run can name: what it keeps, and what it can do without. The trainer builds it under the same name.</summary>
/// <param name="Name">The word of <c>optimizer.name</c>.</param>
/// <param name="Moments">Values that it keeps for a parameter, each as wide as a weight; of those that it does not code.</param>
public sealed record OptimizerKind(string Name, Func<ParameterShape, long> Moments)
{
    /// <summary>Precisions in which large weights need no fp32 masters, for the optimizer rounds its steps at random.</summary>
    public IReadOnlyList<string> WithoutMasters { get; init; } = [];

    /// <summary>Whether the moments of a parameter are 8-bit codes.</summary>
    public Func<ParameterShape, OptimizerSpec, bool> Codes { get; init; } = (_, _) => false;

    /// <summary>Bytes that a step works in beside the state, of a model with so many elements in whole matrices.</summary>
    public Func<long, long> StepBytes { get; init; } = _ => 0;

    /// <summary>Bytes of state for one parameter.</summary>
    /// <param name="parameter">Which.</param>
    /// <param name="optimizer">The run's; of this kind.</param>
    /// <param name="width">Bytes of a weight's master.</param>
    public long StateBytes(ParameterShape parameter, OptimizerSpec optimizer, long width) =>
        Codes(parameter, optimizer) ? EightBitMoments.Bytes(parameter.Elements) : Moments(parameter) * width;
}

/// <summary>Every optimizer, a row each: checks, memory forecasts and forms read this table, the trainer's builders have the same names.</summary>
public static class OptimizerKinds
{
    public const string AdamW = "adamw";
    public const string AdamW8Bit = "adamw8bit";
    public const string Muon = "muon";

    /// <summary>Most elements of matrices that Muon turns at a time; a larger matrix is turned alone.</summary>
    public const long MuonBatchElements = 1 << 24;

    // The direction and its stack in fp32, iterate, product and their sum in the products' type, two Gram matrices, and the result in fp32.
    private const long MuonBytes = 24;

    public static IReadOnlyList<OptimizerKind> All { get; } =
    [
        new(AdamW, p => 2 * p.Elements),
        new(AdamW8Bit, p => 2 * p.Elements) { Codes = EightBitMoments.Hold, WithoutMasters = ["bf16"] },

        // One momentum for matrices, two moments of Adam for the rest.
        new(Muon, p => (2 * p.Elements) - p.MatrixElements) { StepBytes = matrices => MuonBytes * Math.Min(matrices, MuonBatchElements) },
    ];

    public static IReadOnlyList<string> Names { get; } = [.. All.Select(k => k.Name)];

    public static OptimizerKind? Find(string name) => All.FirstOrDefault(k => k.Name == name);

    /// <summary>The row of a checked spec.</summary>
    public static OptimizerKind Of(OptimizerSpec optimizer) => Find(optimizer.Name) ?? throw new ArgumentException($"optimizer.name is {optimizer.Name}. Allowed: {string.Join(", ", Names)}.", nameof(optimizer));

    /// <summary>Why a run cannot keep its weights without masters, as the end of a sentence; null = as far as its optimizer goes it can.</summary>
    public static string? MastersNeeded(OptimizerSpec optimizer, string precision)
    {
        var able = All.Where(k => k.WithoutMasters.Count > 0);
        var kind = Of(optimizer);
        IReadOnlyList<string> precisions = kind.WithoutMasters.Count > 0 ? kind.WithoutMasters : [.. able.SelectMany(k => k.WithoutMasters).Distinct()];
        return !precisions.Contains(precision) ? $"train.precision is {precision}, not {string.Join(" or ", precisions)}"
            : kind.WithoutMasters.Count == 0 ? $"optimizer.name is {kind.Name}, not {string.Join(" or ", able.Select(k => k.Name))}"
            : optimizer.Averages ? "an average of the weights is kept in fp32"
            : null;
    }
}
