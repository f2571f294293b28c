using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Protocol;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hearth.Coordinator.Workers;

/// <summary>The machines of the pool: joining, looking, draining, removing; and the agents' side of it.</summary>
public static class WorkersApi
{
    private static readonly TimeSpan CodeLife = TimeSpan.FromMinutes(15);

    public static void AddWorkers(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<WorkerStore>();
        builder.Services.AddSingleton<Heartbeats>();
        builder.Services.AddSingleton<Assignments>();
        builder.Services.AddSingleton<Mailbox>();
    }

    public static void MapWorkers(this RouteGroupBuilder api)
    {
        var workers = api.MapGroup("/workers");
        workers.MapGet("", (WorkerStore store, CancellationToken stop) => store.ListAsync(stop)).WithSummary("All workers with their devices, readings and what runs on them.");

        var admin = workers.MapGroup("").RequireAuthorization(Policies.Admin);
        admin.MapPost("/join-codes", CreateCodeAsync).WithSummary("A code that one new machine may join with, for a quarter of an hour.");
        admin.MapPost("/{id:guid}/drain", (Guid id, WorkerStore store, CancellationToken stop) => DrainAsync(id, true, store, stop))
            .WithSummary("Has a worker finish what it has and take nothing new.");
        admin.MapPost("/{id:guid}/undrain", (Guid id, WorkerStore store, CancellationToken stop) => DrainAsync(id, false, store, stop))
            .WithSummary("Lets a drained worker take runs again.");
        admin.MapDelete("/{id:guid}", RemoveAsync).WithSummary("Takes a worker out of the pool; its runs go on elsewhere.");
    }

    public static void MapWorkerProtocol(this RouteGroupBuilder worker)
    {
        worker.MapPost("/join", JoinAsync).AllowAnonymous().RequireRateLimiting(SecurityExtensions.GuessLimit)
            .WithSummary("Trades a one-time code for a worker's token.");
        worker.MapPost("/sync", SyncAsync).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .WithSummary("Heartbeat, lease renewal and mailbox in one held call.");
    }

    private static async Task<JoinCodeView> CreateCodeAsync(WorkerStore store, CoordinatorOptions options, ClaimsPrincipal caller, HttpRequest request, ILogger<WorkerStore> log, CancellationToken stop)
    {
        var code = await store.CreateCodeAsync(caller.CallerName(), CodeLife, stop);
        log.JoinCodeCreated(caller.CallerName());
        string address = options.PublicUrl?.GetLeftPart(UriPartial.Path).TrimEnd('/') ?? $"{request.Scheme}://{request.Host}";
        return new JoinCodeView(code.Code, code.ExpiresAt, $"./hearth join {address} {code.Code}");
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DrainAsync(Guid id, bool draining, WorkerStore store, CancellationToken stop) =>
        await store.DrainAsync(id, draining, stop) ? TypedResults.NoContent() : Problems.NotFound($"No worker has the id {id}.");

    private static async Task<Results<NoContent, ProblemHttpResult>> RemoveAsync(Guid id, WorkerStore store, ClaimsPrincipal caller, ILogger<WorkerStore> log, CancellationToken stop)
    {
        if (!await store.RemoveAsync(id, stop))
        {
            return Problems.NotFound($"No worker has the id {id}.");
        }

        log.WorkerRemoved(caller.CallerName(), id);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<JoinResponse>, ProblemHttpResult>> JoinAsync(JoinRequest request, WorkerStore store, ILogger<WorkerStore> log, CancellationToken stop)
    {
        if (ReportRules.Check(request) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        if (await store.JoinAsync(request, stop) is not { } joined)
        {
            return Problems.Forbidden("The code is not known, was used already, or has expired. Make a new one on the pool page.");
        }

        log.WorkerJoined(joined.Name, request.Devices.Count);
        return TypedResults.Ok(joined);
    }

    /// <summary>
    /// Takes in what the worker reports, then holds the answer until there is something for it. The lease was renewed at the start,
    /// so a call is held for a quarter of a lease at most.
    /// </summary>
    private static async Task<Results<Ok<SyncResponse>, ProblemHttpResult>> SyncAsync(
        SyncRequest request, ClaimsPrincipal caller, Heartbeats heartbeats, Mailbox mailbox, IHostApplicationLifetime life, HttpContext context)
    {
        if (ReportRules.Check(request) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
        var (taken, refusal) = await heartbeats.TakeAsync(caller.WorkerId(), request, context.RequestAborted);
        if (taken is null)
        {
            return refusal!.Ended is { } why ? Problems.Conflict(why)
                : TypedResults.Problem("A later report of this agent has been taken in already.", statusCode: StatusCodes.Status412PreconditionFailed);
        }

        return TypedResults.Ok(await mailbox.WaitAsync(caller.WorkerId(), request, taken, stop.Token, context.RequestAborted));
    }
}
