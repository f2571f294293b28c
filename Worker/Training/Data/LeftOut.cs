using System.Globalization;

namespace Hearth.Training.Data;

/// <summary>Documents that were left out, with the first of them and why.</summary>
public sealed record LeftOut(long Count, IReadOnlyList<string> Examples)
{
    private const int MostExamples = 5;
    private const double MostLeftOut = 0.1;

    /// <summary>One more.</summary>
    internal LeftOut And(string fault) => new(Count + 1, Count < MostExamples ? [.. Examples, fault] : Examples);

    /// <exception cref="DatasetException">More than a tenth were left out; says how many and why.</exception>
    internal void Check(long all, string template)
    {
        if (Count > MostLeftOut * all)
        {
            throw new DatasetException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Count} of {all} conversations cannot be written with the chat template {template}: {string.Join(" ", Examples)} Allowed: at most a tenth."));
        }
    }
}
