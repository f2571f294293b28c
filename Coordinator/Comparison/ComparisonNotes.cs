using Hearth.Api;

namespace Hearth.Coordinator.Comparison;

/// <summary>What somebody who compares runs must mind, in sentences. Pure.</summary>
public static class ComparisonNotes
{
    /// <param name="runs">Compared.</param>
    /// <param name="axis">What their curves are drawn over.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<ComparedRun> runs, CompareAxis axis)
    {
        var notes = new List<string>();
        if (runs.Select(r => r.Tokenizer).OfType<string>().Distinct(StringComparer.Ordinal).Count() > 1)
        {
            notes.Add("These runs have different tokenizers: their losses per token do not compare, their bits per byte do.");
        }

        var untold = runs.Where(r => axis == CompareAxis.Energy && r.WattHours is null).Select(r => $"r-{r.Number}").ToList();
        if (untold.Count > 0)
        {
            notes.Add($"The energy of {string.Join(", ", untold)} is unknown, since the device does not tell its power.");
        }

        return notes;
    }
}
