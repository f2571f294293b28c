using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Hearth.Coordinator.Runs;

/// <summary>How routes name a run: by id, or by its short number as <c>r-17</c>.</summary>
public readonly record struct RunRef(Guid? Id, long? Number) : IParsable<RunRef>
{
    /// <summary>Condition on <c>runs r</c>; parameters <c>@id</c> and <c>@number</c>.</summary>
    internal const string Is = "(r.id = @id or r.number = @number)";

    public static RunRef Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out var run) ? run : throw new FormatException($"{s} names no run. Allowed: an id, or a number such as r-17.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out RunRef result)
    {
        if (Guid.TryParse(s, out var id))
        {
            result = new RunRef(id, null);
            return true;
        }

        bool numbered = s is not null && s.StartsWith("r-", StringComparison.OrdinalIgnoreCase);
        long number = 0;
        numbered = numbered && long.TryParse(s.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out number);
        result = new RunRef(null, numbered ? number : null);
        return numbered;
    }

    public override string ToString() => Id?.ToString() ?? $"r-{Number}";
}
