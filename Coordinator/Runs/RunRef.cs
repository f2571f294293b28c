using System.Diagnostics.CodeAnalysis;

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
        var named = NumberedRef.Parse(s, "r-");
        result = named is var (id, number) ? new RunRef(id, number) : default;
        return named is not null;
    }

    public override string ToString() => Id?.ToString() ?? $"r-{Number}";
}
