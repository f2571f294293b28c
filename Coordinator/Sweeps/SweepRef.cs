using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Hearth.Coordinator.Sweeps;

/// <summary>How routes name a sweep: by id, or by its short number as <c>s-17</c>.</summary>
public readonly record struct SweepRef(Guid? Id, long? Number) : IParsable<SweepRef>
{
    /// <summary>Condition on <c>sweeps s</c>; parameters <c>@id</c> and <c>@number</c>.</summary>
    internal const string Is = "(s.id = @id or s.number = @number)";

    public static SweepRef Parse(string s, IFormatProvider? provider) =>
        TryParse(s, provider, out var sweep) ? sweep : throw new FormatException($"{s} names no sweep. Allowed: an id, or a number such as s-17.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out SweepRef result)
    {
        if (Guid.TryParse(s, out var id))
        {
            result = new SweepRef(id, null);
            return true;
        }

        bool numbered = s is not null && s.StartsWith("s-", StringComparison.OrdinalIgnoreCase);
        long number = 0;
        numbered = numbered && long.TryParse(s.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out number);
        result = new SweepRef(null, numbered ? number : null);
        return numbered;
    }

    public override string ToString() => Id?.ToString() ?? $"s-{Number}";
}
