using System.Globalization;

namespace Hearth.Coordinator.Runs;

/// <summary>How routes name what has an id and a short number: <c>r-17</c>.</summary>
internal static class NumberedRef
{
    /// <param name="text">An id, or a number behind the prefix.</param>
    /// <param name="prefix">Such as <c>r-</c>.</param>
    internal static (Guid? Id, long? Number)? Parse(string? text, string prefix) =>
        Guid.TryParse(text, out var id) ? (id, null)
        : text is not null && text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
            && long.TryParse(text.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? (null, number)
        : null;
}
