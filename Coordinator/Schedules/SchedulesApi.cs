using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Schedules;

/// <summary>Runs by the clock: make, look, change, switch, delete. A schedule is named by its id or its name.</summary>
public static class SchedulesApi
{
    public static void AddSchedules(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ScheduleStore>();
        builder.Services.AddSingleton<ScheduleChecks>();
        builder.Services.AddSingleton<IRecurringJob, SchedulesJob>();
    }

    public static void MapSchedules(this RouteGroupBuilder api)
    {
        var schedules = api.MapGroup("/schedules");
        schedules.MapGet("", (ScheduleStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("Schedules by name, with what came of each one's last time.");
        schedules.MapGet("/{schedule}", async Task<Results<Ok<ScheduleView>, ProblemHttpResult>> (string schedule, ScheduleStore store, CancellationToken stop) =>
            await store.FindAsync(schedule, stop) is { } view ? TypedResults.Ok(view) : Unknown(schedule)).WithSummary("One schedule.");

        var writes = schedules.MapGroup("").RequireAuthorization(Policies.Submit);
        writes.MapPost("", CreateAsync).WithSummary("Makes a schedule; its run is checked as a submission is.");
        writes.MapPut("/{schedule}", ReplaceAsync).WithSummary("Puts another schedule in the place of one.");
        writes.MapDelete("/{schedule}", DeleteAsync).WithSummary("Deletes a schedule. Runs that it submitted stay.");
        writes.MapPost("/{schedule}/enable", (string schedule, ScheduleStore store, CancellationToken stop) => SwitchAsync(schedule, true, store, stop)).WithSummary("Switches a schedule on, from now.");
        writes.MapPost("/{schedule}/disable", (string schedule, ScheduleStore store, CancellationToken stop) => SwitchAsync(schedule, false, store, stop)).WithSummary("Switches a schedule off.");
    }

    private static async Task<Results<Created<ScheduleView>, ProblemHttpResult>> CreateAsync(
        SaveSchedule request, ClaimsPrincipal caller, ScheduleStore store, ScheduleChecks checks, CancellationToken stop)
    {
        if (await checks.CheckAsync(request, stop) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        var id = Guid.CreateVersion7();
        return await store.AddAsync(id, request, caller.CallerName(), stop)
            ? TypedResults.Created($"/api/v1/schedules/{id}", await store.FindAsync(id.ToString(), stop))
            : Taken(request.Name);
    }

    private static async Task<Results<Ok<ScheduleView>, ProblemHttpResult>> ReplaceAsync(
        string schedule, SaveSchedule request, ScheduleStore store, ScheduleChecks checks, CancellationToken stop)
    {
        if (await store.FindAsync(schedule, stop) is not { } found)
        {
            return Unknown(schedule);
        }

        if (await checks.CheckAsync(request, stop) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        return await store.ReplaceAsync(found.Id, request, stop) ? TypedResults.Ok((await store.FindAsync(found.Id.ToString(), stop))!) : Taken(request.Name);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(string schedule, ScheduleStore store, CancellationToken stop)
    {
        if (await store.FindAsync(schedule, stop) is not { } found)
        {
            return Unknown(schedule);
        }

        await store.DeleteAsync(found.Id, stop);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<ScheduleView>, ProblemHttpResult>> SwitchAsync(string schedule, bool enabled, ScheduleStore store, CancellationToken stop)
    {
        if (await store.FindAsync(schedule, stop) is not { } found)
        {
            return Unknown(schedule);
        }

        await store.SwitchAsync(found.Id, enabled, stop);
        return TypedResults.Ok((await store.FindAsync(found.Id.ToString(), stop))!);
    }

    private static ProblemHttpResult Unknown(string schedule) => Problems.NotFound($"No schedule is called {schedule}.");

    private static ProblemHttpResult Taken(string name) => Problems.Conflict($"Another schedule is called {name}. Give a name that is free.");
}
