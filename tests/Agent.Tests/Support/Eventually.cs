using System.Diagnostics;

namespace Hearth.Agent.Tests.Support;

/// <summary>Waits for a condition, never for a time; the deadline only says when to give up.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static async Task<T> GetAsync<T>(Func<T?> read, string what, Func<string> details)
        where T : class
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Deadline)
        {
            if (read() is { } value)
            {
                return value;
            }

            await Task.Delay(Pause);
        }

        throw new TimeoutException($"Not within {Deadline.TotalSeconds} s: {what}\n{details()}");
    }

    public static Task TrueAsync(Func<bool> condition, string what, Func<string> details) =>
        GetAsync(() => condition() ? "yes" : null, what, details);
}
