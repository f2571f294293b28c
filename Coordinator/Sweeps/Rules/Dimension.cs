using System.Globalization;
using System.Text.Json;
using Hearth.Api;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps.Rules;

/// <summary>A field of a space counts only while another has one of these values.</summary>
/// <param name="Path">Of a choice in the same space.</param>
/// <param name="Values">Of that choice.</param>
public sealed record Condition(string Path, IReadOnlyList<JsonElement> Values);

/// <summary>
/// A field that trials differ in. Searches draw in units: 0 to 1 over the whole range, in which values are spread as <see cref="Kind"/> says; one of
/// n discrete values owns its share of them.
/// </summary>
public sealed record Dimension
{
    /// <summary>Of the run spec, such as <c>optimizer.lr</c>.</summary>
    public required string Path { get; init; }
    public required DimensionKind Kind { get; init; }
    public double Min { get; init; }
    public double Max { get; init; }

    /// <summary>Integers are multiples of it.</summary>
    public double MultipleOf { get; init; } = 1;
    public IReadOnlyList<JsonElement> Choices { get; init; } = [];
    public IReadOnlyList<Condition> When { get; init; } = [];

    public bool IsChoice => Kind == DimensionKind.Choice;

    /// <summary>The last part of the path.</summary>
    public string Name => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>Number of values; null = a continuum.</summary>
    public int? Count => Kind switch
    {
        DimensionKind.Choice => Choices.Count,
        DimensionKind.Integer or DimensionKind.LogInteger => (int)Math.Clamp(Math.Floor(Max / MultipleOf) - Math.Ceiling(Min / MultipleOf) + 1, 0, int.MaxValue),
        _ => null,
    };

    private double First => Math.Ceiling(Min / MultipleOf) * MultipleOf;

    private double Last => Math.Floor(Max / MultipleOf) * MultipleOf;

    /// <summary>The value at a place of the range.</summary>
    /// <param name="unit">0 to 1.</param>
    public double At(double unit) => Kind switch
    {
        DimensionKind.Choice => Index(unit, Choices.Count),
        DimensionKind.Integer => First + (Index(unit, Count!.Value) * MultipleOf),
        DimensionKind.LogInteger => Math.Clamp(Math.Round(Between(Edges, unit) / MultipleOf) * MultipleOf, First, Last),
        // The ends as they were given: a logarithm and its inverse would miss them by a bit.
        DimensionKind.Log when unit is <= 0 or >= 1 => unit <= 0 ? Min : Max,
        DimensionKind.Log => Math.Clamp(Between((Math.Log(Min), Math.Log(Max)), unit), Min, Max),
        _ => Math.Clamp(Min + (unit * (Max - Min)), Min, Max),
    };

    /// <summary>The middle of the places that have this value.</summary>
    public double UnitOf(double value) => Math.Clamp(
        Kind switch
        {
            DimensionKind.Choice => (value + 0.5) / Choices.Count,
            DimensionKind.Integer => (((value - First) / MultipleOf) + 0.5) / Count!.Value,
            DimensionKind.LogInteger => Share(Edges, value),
            DimensionKind.Log => Max > Min ? Share((Math.Log(Min), Math.Log(Max)), value) : 0.5,
            _ => Max > Min ? (value - Min) / (Max - Min) : 0.5,
        },
        0,
        1);

    /// <summary>Values for a grid, from the least to the greatest: all of a choice, of others at most so many.</summary>
    /// <param name="points">At least 1; one of a range is its middle.</param>
    public IReadOnlyList<double> Spread(int points)
    {
        int count = IsChoice ? Choices.Count : Math.Min(points, Count ?? points);
        return count == Count
            ? [.. Enumerable.Range(0, count).Select(i => IsChoice ? i : First + (i * MultipleOf))]
            : [.. Enumerable.Range(0, count).Select(i => At(count == 1 ? 0.5 : i / (count - 1.0))).Distinct()];
    }

    /// <summary>A value as the run spec takes it.</summary>
    public JsonElement Json(double value) => Kind switch
    {
        DimensionKind.Choice => Choices[(int)value],
        DimensionKind.Integer or DimensionKind.LogInteger => JsonSerializer.SerializeToElement((long)value),
        _ => JsonSerializer.SerializeToElement(value),
    };

    /// <summary>A value for sentences.</summary>
    public string Show(double value) => Kind switch
    {
        DimensionKind.Choice => Choices[(int)value].ToString(),
        DimensionKind.Integer or DimensionKind.LogInteger => Words.Number(value),
        _ => value.ToString("G3", CultureInfo.InvariantCulture),
    };

    // Half a multiple beyond both ends, so that the outer values have as much room as they would have inside.
    private (double Low, double High) Edges => (Math.Log(First - (MultipleOf / 2)), Math.Log(Last + (MultipleOf / 2)));

    private static int Index(double unit, int count) => Math.Clamp((int)(unit * count), 0, count - 1);

    private static double Between((double Low, double High) logs, double unit) => Math.Exp(logs.Low + (unit * (logs.High - logs.Low)));

    private static double Share((double Low, double High) logs, double value) => (Math.Log(value) - logs.Low) / (logs.High - logs.Low);
}
