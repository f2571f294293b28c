using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Runs;

namespace Hearth.Coordinator.Schedules;

/// <summary>What a schedule must be to be kept: its own fields, and its run as a submission of this moment.</summary>
public sealed class ScheduleChecks(RunSubmission submission)
{
    private const int LongestName = 64;
    private const int LongestCron = 200;
    private const string Fields = "five fields: minute, hour, day of month, month, day of week, such as 30 2 * * 1-5";

    /// <returns>Every error; none when it may be kept.</returns>
    public async Task<IReadOnlyList<FieldError>> CheckAsync(SaveSchedule schedule, CancellationToken stop)
    {
        var errors = Own(schedule);
        if (schedule.Spec.ValueKind != JsonValueKind.Object)
        {
            errors.Add(FieldError.Of("spec", "", "the run's spec, as POST /api/v1/runs takes it"));
            return errors;
        }

        return [.. errors, .. (await submission.CheckAsync(schedule.Spec, stop)).Errors];
    }

    /// <summary>Errors of the fields beside the spec. Pure.</summary>
    internal static List<FieldError> Own(SaveSchedule schedule)
    {
        var errors = new List<FieldError>();
        if (schedule.Name is null || schedule.Name.Trim().Length is 0 or > LongestName || !FitsAddress(schedule.Name.Trim()))
        {
            errors.Add(FieldError.Of("name", schedule.Name ?? "", $"1 to {LongestName} characters without '/' that are no id and not dots alone"));
        }
        else if (TextRules.Name("name", schedule.Name, LongestName) is { } unreadable)
        {
            errors.Add(unreadable);
        }

        if (string.IsNullOrWhiteSpace(schedule.Cron) || schedule.Cron.Length > LongestCron)
        {
            errors.Add(FieldError.Of("cron", (schedule.Cron ?? "").Trim(), Fields));
        }
        else if (!ScheduleClock.TryParse(schedule.Cron, out _, out string problem))
        {
            errors.Add(new FieldError("cron", schedule.Cron, Fields, $"cron is {schedule.Cron}: {problem}. Allowed: {Fields}."));
        }

        string zone = schedule.Zone ?? "UTC";
        if (TextRules.Name("zone", zone, LongestName) is not null || !TimeZoneInfo.TryFindSystemTimeZoneById(zone, out _))
        {
            errors.Add(FieldError.Of("zone", zone, "an IANA name such as Europe/Vienna, or UTC"));
        }

        return errors;
    }

    // A schedule is addressed by its name as by its id. Whoever normalises an address takes dots away, and '/' stays escaped in it.
    private static bool FitsAddress(string name) => !Guid.TryParse(name, out _) && !name.Contains('/', StringComparison.Ordinal) && name is not ("." or "..");
}
