using System.Diagnostics.CodeAnalysis;
using Hearth.Coordinator.Runs;

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
        var named = NumberedRef.Parse(s, "s-");
        result = named is var (id, number) ? new SweepRef(id, number) : default;
        return named is not null;
    }

    public override string ToString() => Id?.ToString() ?? $"s-{Number}";
}
