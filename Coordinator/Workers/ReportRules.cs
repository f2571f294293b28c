using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Runs;
using Hearth.Hardware;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Workers;

/// <summary>
/// What a worker's words must hold before anything of them is stored: any token of a worker can be used to send anything. A report is
/// taken whole or not at all. Pure.
/// </summary>
public static class ReportRules
{
    /// <summary>Attempts in one report; a worker has at most one on a device, and repeats ends until they are acknowledged.</summary>
    public const int MostAttempts = 256;

    /// <summary>Requests to checkpoints in one report.</summary>
    public const int MostGenerations = 1024;

    /// <summary>Characters of a name.</summary>
    public const int LongestName = 64;

    private const int LongestTrace = 64;
    private const int LongestReason = 1000;
    private const double LongestOutage = 1e10;
    private const long MostSteps = 1L << 40;

    /// <summary>Every error of a request to join.</summary>
    public static IReadOnlyList<FieldError> Check(JoinRequest request)
    {
        var errors = new List<FieldError>();
        Text("code", request.Code, LongestName, errors);
        Text("agent_version", request.AgentVersion, LongestName, errors);
        if (string.IsNullOrEmpty(request.Name) || request.Name.Contains('/', StringComparison.Ordinal) || request.Name.Contains(',', StringComparison.Ordinal)
            || TextRules.Name("name", request.Name, LongestName) is not null)
        {
            string given = request.Name?.Length > LongestName ? $"{request.Name.Length} characters long" : new string([.. (request.Name ?? "").Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]);
            errors.Add(FieldError.Of("name", given, $"1 to {LongestName} characters, without '/' and ','", withoutValue: ""));
        }

        return [.. errors, .. DeviceListRules.Check(request.Devices)];
    }

    /// <summary>Every error of a report, up to the first in each list.</summary>
    public static IReadOnlyList<FieldError> Check(SyncRequest request)
    {
        var errors = new List<FieldError>();
        Text("agent_version", request.AgentVersion, LongestName, errors);
        if (request.Session is { } session)
        {
            Text("session.host", session.Host, LongestName, errors);
            Number("session.report", session.Report, 1, long.MaxValue, errors);
        }

        if (request.CutOff is { } outage)
        {
            Text("cut_off.reason", outage.Reason, LongestReason, errors);
            if (!(outage.Seconds is >= 0 and <= LongestOutage))
            {
                errors.Add(FieldError.Of("cut_off.seconds", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{outage.Seconds}"), "0 and more seconds"));
            }
        }

        if (request.Refused is { } refused)
        {
            Text("refused.reason", refused.Reason, LongestReason, errors);
            Number("refused.count", refused.Count, 1, long.MaxValue, errors);
        }

        errors.AddRange(DeviceListRules.Check(request.Devices));
        Number("host_free_bytes", request.HostFreeBytes ?? 0, 0, long.MaxValue, errors);
        Number("seen_serial", request.SeenSerial, 0, long.MaxValue, errors);
        Each("readings", request.Readings, DeviceListRules.Most, r => r.Index, (field, reading) => Check(field, reading, errors), errors);
        Each("attempts", request.Attempts, MostAttempts, a => a.Lease?.AttemptId, (field, report) => Check(field, report, errors), errors);
        Each("ended", request.Ended, MostAttempts, a => (a.Lease?.AttemptId, a.Lease?.Epoch), (field, end) => Check(field, end, errors), errors);
        if (request.Generations is null || request.Generations.Count > MostGenerations)
        {
            errors.Add(FieldError.Of("generations", Count(request.Generations?.Count), $"a list of at most {MostGenerations} ids"));
        }

        return errors;
    }

    private static void Check(string field, DeviceReading reading, List<FieldError> errors)
    {
        Number($"{field}.index", reading.Index, 0, DeviceListRules.LargestIndex, errors);
        Number($"{field}.memory_used_bytes", reading.MemoryUsedBytes ?? 0, 0, DeviceListRules.MostBytes, errors);
    }

    private static void Check(string field, AttemptReport report, List<FieldError> errors)
    {
        Lease(field, report.Lease, errors);
        Number($"{field}.step", report.Step, 0, MostSteps, errors);
        if (report.State is not (AttemptState.Assigned or AttemptState.Starting or AttemptState.Running or AttemptState.Stopping))
        {
            errors.Add(FieldError.Of($"{field}.state", report.State.ToString().ToLowerInvariant(), "assigned, starting, running, stopping"));
        }

        if (report.Fraction is { } fraction and not (>= 0 and <= 1))
        {
            errors.Add(FieldError.Of($"{field}.fraction", Words.Number(fraction), "0 to 1"));
        }
    }

    private static void Check(string field, AttemptEnd end, List<FieldError> errors)
    {
        Lease(field, end.Lease, errors);
        Number($"{field}.step", end.Step, 0, MostSteps, errors);
        if (end.Outcome is not (AttemptState.Succeeded or AttemptState.Failed or AttemptState.Stopped or AttemptState.Lost))
        {
            errors.Add(FieldError.Of($"{field}.outcome", end.Outcome.ToString().ToLowerInvariant(), "succeeded, failed, stopped, lost"));
        }

        Number($"{field}.peak_memory_bytes", end.PeakMemoryBytes ?? 0, 0, DeviceListRules.MostBytes, errors);
        Text($"{field}.trace", end.Trace ?? "", LongestTrace, errors);
        Text($"{field}.failure_code", end.FailureCode ?? "", LongestName, errors);
    }

    private static void Lease(string field, Lease? lease, List<FieldError> errors)
    {
        if (lease is null)
        {
            errors.Add(FieldError.Of($"{field}.lease", "null", "an attempt and its epoch"));
        }
    }

    // One error is enough of a list: the next report names the next.
    private static void Each<T>(string field, IReadOnlyList<T?>? items, int most, Func<T, object?> key, Action<string, T> check, List<FieldError> errors)
        where T : class
    {
        if (items is null || items.Count > most)
        {
            errors.Add(FieldError.Of(field, Count(items?.Count), $"a list of at most {most} entries"));
            return;
        }

        int before = errors.Count;
        var seen = new HashSet<object?>();
        for (int i = 0; i < items.Count && errors.Count == before; i++)
        {
            if (items[i] is not { } item)
            {
                errors.Add(FieldError.Of($"{field}[{i}]", "null", "an entry"));
                return;
            }

            check($"{field}[{i}]", item);
            if (errors.Count == before && !seen.Add(key(item)))
            {
                errors.Add(FieldError.Of($"{field}[{i}]", "the same as an entry before", "one entry for each"));
            }
        }
    }

    private static void Text(string field, string? text, int longest, List<FieldError> errors)
    {
        if (TextRules.Name(field, text, longest) is { } error)
        {
            errors.Add(error);
        }
    }

    private static void Number(string field, long value, long least, long most, List<FieldError> errors)
    {
        if (value < least || value > most)
        {
            errors.Add(FieldError.Of(field, Words.Number(value), most == long.MaxValue ? $"at least {Words.Number(least)}" : $"{Words.Number(least)} to {Words.Number(most)}"));
        }
    }

    private static string Count(int? count) => count is { } n ? $"{Words.Number(n)} entries" : "null";
}
