using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Datasets.Imports;

/// <summary>Imports: begun, looked at, cancelled. The answer comes at once; the work is a job's.</summary>
public static class ImportsApi
{
    public static void AddImports(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton(ImportSettings.Read(builder.Configuration));
        builder.Services.AddSingleton<UploadStore>();
        builder.Services.AddSingleton<UrlFetcher>();
        builder.Services.AddSingleton<ImportFiles>();
        builder.Services.AddSingleton<ImportChecks>();
        builder.Services.AddSingleton<ImportStore>();
        builder.Services.AddSingleton<IRecurringJob, ImportJob>();
    }

    public static void MapImports(this RouteGroupBuilder api)
    {
        var imports = api.MapGroup("/datasets/imports");
        imports.MapGet("", (ImportStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("Imports, the newest hundred.");
        imports.MapGet("/{import:guid}", async Task<Results<Ok<ImportView>, ProblemHttpResult>> (Guid import, ImportStore store, CancellationToken stop) =>
            await store.GetAsync(import, stop) is { } view ? TypedResults.Ok(view) : Unknown(import)).WithSummary("One import: how far it is, or what came of it.");
        imports.MapPost("", StartAsync).RequireAuthorization(Policies.Submit).WithSummary("Begins to make a dataset of an upload, an address, or (admins) paths on the coordinator's machine.");
        imports.MapPost("/{import:guid}/cancel", CancelAsync).RequireAuthorization(Policies.Submit).WithSummary("Ends an import that is not over yet.");
        api.MapUploads();
    }

    private static async Task<Results<Accepted<ImportView>, ProblemHttpResult>> StartAsync(
        StartImport request, ClaimsPrincipal caller, ImportChecks checks, ImportStore store, JobQueue queue, CancellationToken stop)
    {
        var (source, errors) = await checks.CheckAsync(request, caller, stop);
        if (source is null)
        {
            return Problems.Fields(errors);
        }

        var view = await store.AddAsync(request, source, caller.CallerName(), stop);
        queue.Start(ImportJob.JobName);
        return TypedResults.Accepted($"/api/v1/datasets/imports/{view.Id}", view);
    }

    private static async Task<Results<Ok<ImportView>, ProblemHttpResult>> CancelAsync(Guid import, ImportStore store, CancellationToken stop)
    {
        await store.CancelAsync(import, stop);
        return await store.GetAsync(import, stop) is { } view ? TypedResults.Ok(view) : Unknown(import);
    }

    private static ProblemHttpResult Unknown(Guid import) => Problems.NotFound($"There is no import {import}.");
}
