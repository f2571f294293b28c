using System.Text.Json;
using Hearth.Coordinator.Jobs;
using Hearth.Coordinator.Runs;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Runs;

namespace Hearth.Coordinator.Schedules;

/// <summary>
/// Submits the runs whose time has come. A fire is one run however often it is dealt with: its key names schedule and time. What is noted comes
/// after the run, so that a coordinator that dies between the two leaves the note to the next turn.
/// </summary>
internal sealed class SchedulesJob(ScheduleStore schedules, RunSubmission submission, RunStore runs) : IRecurringJob
{
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(5);

    public string Name => "schedules";

    public string Does => "Submits the runs of schedules that are due; of times that the pool missed, the latest once.";

    public string Cron => "* * * * *";

    public async Task<string> RunAsync(CancellationToken stop)
    {
        var (armed, now) = await schedules.ArmedAsync(stop);
        int fired = 0;
        var failures = new List<Exception>();
        foreach (var schedule in armed)
        {
            try
            {
                if (ScheduleClock.Parse(schedule.Cron, schedule.Zone).Due(schedule.Since, now) is { } fire)
                {
                    var (result, run) = await FireAsync(schedule, fire, stop);
                    string late = now - fire > Late ? $" It was due at {fire:yyyy-MM-dd HH:mm} UTC." : "";
                    await schedules.NoteAsync(schedule.Id, fire, result + late, run, stop);
                    fired++;
                }
            }
            catch (Exception e) when (!stop.IsCancellationRequested)
            {
                // One that fails keeps no other from its time; it is tried again at the next turn.
                failures.Add(e);
            }
        }

        return failures.Count == 0
            ? $"{Words.Number(fired)} of {Words.Number(armed.Count)} schedules were due."
            : throw new InvalidOperationException($"{Words.Number(failures.Count)} schedules could not be dealt with: {failures[0].Message}", failures[0]);
    }

    private async Task<(string Result, Guid? Run)> FireAsync(ArmedSchedule schedule, DateTimeOffset fire, CancellationToken stop)
    {
        if (await schedules.FindRunAsync(schedule, fire, stop) is { } before)
        {
            return Submitted(before.Id, before.Number);
        }

        if (schedule.SkipWhileRunning && await schedules.LiveRunAsync(schedule, stop) is { } live)
        {
            return ($"Skipped, because r-{live.Number} is still {live.State}.", null);
        }

        var spec = JsonElement.Parse(schedule.Spec);
        var check = await submission.CheckAsync(spec, stop);
        if (check.Spec is not { } run || check.Plan is not { } plan)
        {
            return ($"Refused: {string.Join(' ', check.Errors.Select(e => e.Message))}", null);
        }

        var submitted = (await runs.AddAsync(run, plan.Parameters, check.StartCheckpoint, schedule.CreatedBy, ScheduleStore.KeyOf(schedule.Id, fire), spec, stop)).Run!;
        return Submitted(submitted.Id, submitted.Number);
    }

    private static (string Result, Guid? Run) Submitted(Guid id, long number) => ($"Submitted r-{number}.", id);
}
