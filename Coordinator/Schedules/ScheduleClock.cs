using System.Diagnostics.CodeAnalysis;
using Cronos;

namespace Hearth.Coordinator.Schedules;

/// <summary>When a schedule fires: cron in five fields, read in a time zone with its summer time. Pure.</summary>
/// <param name="Cron">When.</param>
/// <param name="Zone">Where.</param>
public sealed record ScheduleClock(CronExpression Cron, TimeZoneInfo Zone)
{
    private const int Fields = 5;

    // Looked through backwards, so that a pool that was down for a year is not asked for every minute of it.
    private static readonly TimeSpan[] Spans = [TimeSpan.FromHours(2), TimeSpan.FromDays(2), TimeSpan.FromDays(62), TimeSpan.FromDays(366 * 9)];

    /// <summary>The clock of fields that were checked before.</summary>
    public static ScheduleClock Parse(string cron, string zone) =>
        TryParse(cron, zone, out string problem) ?? throw new InvalidOperationException($"The schedule's clock cannot be read: {problem}.");

    /// <summary>
    /// The clock of fields that were kept; null when this host cannot read them, as when a pool was restored where a zone is not known.
    /// </summary>
    /// <param name="cron">Five fields.</param>
    /// <param name="zone">Name of the zone.</param>
    /// <param name="problem">Why it is null, in a few words.</param>
    public static ScheduleClock? TryParse(string cron, string zone, out string problem)
    {
        // Not held to what is asked of a new one: what was taken once goes on.
        if (!CronExpression.TryParse(cron, out var expression))
        {
            problem = $"cron is {cron}, which cannot be read";
            return null;
        }

        if (!TimeZoneInfo.TryFindSystemTimeZoneById(zone, out var known))
        {
            problem = $"zone is {zone}, which this host does not know";
            return null;
        }

        problem = "";
        return new ScheduleClock(expression, known);
    }

    /// <param name="cron">Five fields.</param>
    /// <param name="expression">What they mean.</param>
    /// <param name="problem">What is wrong with them, in a few words; empty when nothing is.</param>
    public static bool TryParse(string cron, [NotNullWhen(true)] out CronExpression? expression, out string problem)
    {
        expression = null;
        int fields = cron.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).Length;

        // The parser would read on to a NUL only, and takes words such as @every_second too.
        if (fields != Fields || cron.Any(letter => char.IsControl(letter) && letter != '\t'))
        {
            problem = fields != Fields ? $"it has {fields} fields" : "it has control characters";
            return false;
        }

        try
        {
            expression = CronExpression.Parse(cron);
            problem = expression.GetNextOccurrence(DateTimeOffset.UnixEpoch, TimeZoneInfo.Utc) is null ? "no such day exists" : "";
        }
        catch (CronFormatException e)
        {
            problem = e.Message.TrimEnd('.');
        }

        return problem.Length == 0;
    }

    /// <summary>The next fire after a moment; null when there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after) => Cron.GetNextOccurrence(after, Zone)?.ToUniversalTime();

    /// <summary>
    /// The fire that is due: the latest one after <paramref name="after"/> and no later than <paramref name="now"/>. Earlier ones that were missed are
    /// not made up for. Null when none is due.
    /// </summary>
    public DateTimeOffset? Due(DateTimeOffset after, DateTimeOffset now)
    {
        if (Next(after) is not { } first || first > now)
        {
            return null;
        }

        foreach (var span in Spans)
        {
            var from = now - span > after ? now - span : after;
            if (Cron.GetOccurrences(from, now, Zone, fromInclusive: false, toInclusive: true).Select(o => (DateTimeOffset?)o).LastOrDefault() is { } last)
            {
                return last.ToUniversalTime();
            }
        }

        return null;
    }
}
