namespace Hearth.Coordinator.Jobs;

/// <summary>
/// A piece of housekeeping that is done again and again, on whichever coordinator's turn it is. It is never at work twice at once, but it may
/// be cut short at any point and begun anew, so that doing it twice must come to the same as doing it once.
/// </summary>
public interface IRecurringJob
{
    /// <summary>Lower-case words with hyphens; stands in the API and in rows, so it does not change.</summary>
    string Name { get; }

    /// <summary>What it is for, in one sentence.</summary>
    string Does { get; }

    /// <summary>When: five fields of cron, in UTC.</summary>
    string Cron { get; }

    /// <returns>What it did, in one sentence.</returns>
    /// <exception cref="Exception">It could not; the message becomes its result.</exception>
    Task<string> RunAsync(CancellationToken stop);
}
