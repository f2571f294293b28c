using System.Globalization;

namespace Hearth.Coordinator.Scheduling.Rules;

/// <summary>Rule: a run whose last attempt ended badly is not placed before its time, however free the pool is.</summary>
internal static class BackOff
{
    /// <summary>Why it waits still; null when it may be placed.</summary>
    internal static string? Waits(QueuedRun run, DateTimeOffset now) => run.NotBefore is { } until && until > now
        ? $"Its last attempt failed or was lost; it is tried again at {until.UtcDateTime.ToString("HH:mm:ss", CultureInfo.InvariantCulture)} UTC."
        : null;
}
