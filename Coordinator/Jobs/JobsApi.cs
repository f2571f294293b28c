using Hangfire;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Jobs;

/// <summary>Housekeeping as an admin sees it.</summary>
public static class JobsApi
{
    private const string DashboardPath = "/hangfire";

    public static void MapJobs(this RouteGroupBuilder api)
    {
        var jobs = api.MapGroup("/jobs").RequireAuthorization(Policies.Admin);
        jobs.MapGet("", (JobTable table, CancellationToken stop) => table.ListAsync(stop)).WithSummary("Recurring jobs: what they do, when, and what came of it last.");
        jobs.MapPost("/{name}/run", RunAsync).WithSummary("Has a job done now, beside its schedule. The answer is how it stood before.");
    }

    /// <summary>Hangfire's own pages, for admins, when they are switched on. They show; what starts a job is the API.</summary>
    public static void MapJobPages(this WebApplication app)
    {
        if (app.Services.GetRequiredService<JobSettings>().Dashboard)
        {
            app.MapHangfireDashboard(DashboardPath, new DashboardOptions { Authorization = [], IsReadOnlyFunc = _ => true, DashboardTitle = "Hearth's jobs", AppPath = "/" })
                .RequireAuthorization(Policies.Admin).ExcludeFromDescription();
        }
    }

    private static async Task<Results<Accepted<JobView>, ProblemHttpResult>> RunAsync(string name, JobTable table, JobQueue queue, CancellationToken stop)
    {
        var known = await table.ListAsync(stop);
        if (known.FirstOrDefault(j => j.Name == name) is not { } job)
        {
            return Problems.NotFound($"No job is called {name}. Allowed: {string.Join(", ", known.Select(j => j.Name))}.");
        }

        queue.Start(name);
        return TypedResults.Accepted("/api/v1/jobs", job);
    }
}
