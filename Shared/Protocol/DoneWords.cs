using System.Globalization;

namespace Hearth.Protocol;

/// <summary>What a finished attempt took, in words.</summary>
public static class DoneWords
{
    /// <returns>For example <c>took 00:12:30, at most 3.21 GB</c>.</returns>
    public static string Of(DoneEvent done)
    {
        var took = TimeSpan.FromSeconds(Math.Round(done.Seconds));
        string memory = done.PeakMemoryBytes is { } bytes ? string.Create(CultureInfo.InvariantCulture, $", at most {bytes / (double)(1L << 30):0.00} GB") : "";
        string skipped = done.Skipped > 0 ? $", {done.Skipped} steps skipped" : "";
        return string.Create(CultureInfo.InvariantCulture, $"took {(int)took.TotalHours:00}:{took:mm\\:ss}{memory}{skipped}");
    }
}
