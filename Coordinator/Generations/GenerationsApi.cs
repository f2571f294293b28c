using System.Globalization;
using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Jobs;
using Hearth.Protocol;
using Hearth.Runs;

namespace Hearth.Coordinator.Generations;

/// <summary>Text from checkpoints: ask one, follow the answer, stop it; and the workers' side of it.</summary>
public static class GenerationsApi
{
    private const int MostEvents = 5000;
    private const int MostChoices = 500;

    public static void AddGenerations(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<GenerationStore>();
        builder.Services.AddSingleton<GenerationMail>();
        builder.Services.AddSingleton<GenerationStream>();
        builder.Services.AddSingleton<CheckpointChoices>();
        builder.Services.AddHostedService<GenerationKeeper>();
        builder.Services.AddSingleton<IRecurringJob, RequestTrimJob>();
    }

    public static void MapGenerations(RouteGroupBuilder api, RouteGroupBuilder worker)
    {
        api.MapGet("/checkpoints", ChoicesAsync).Produces<IReadOnlyList<CheckpointChoice>>().WithSummary("Kept checkpoints of all runs, newest first, with what their models can be asked.");

        var generations = api.MapGroup("/generations");
        generations.MapGet("/{id:guid}", async Task<IResult> (Guid id, GenerationStore store, CancellationToken stop) =>
                await store.FindAsync(id, stop) is { } view ? Results.Ok(view) : NotFound(id))
            .Produces<GenerationView>().ProducesProblem(StatusCodes.Status404NotFound).WithSummary("A request to a checkpoint and how it stands.");
        generations.MapGet("/{id:guid}/events", EventsAsync).Produces<GenerationEvent>(StatusCodes.Status200OK, "text/event-stream").Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status404NotFound)
            .WithSummary("Server-sent events of a request until its last: loading, token, then done, stopped or failed; ping between. Resumes after Last-Event-ID (or last_event_id); 204 when the last was that one.");

        var writes = generations.MapGroup("").RequireAuthorization(Policies.Submit);
        writes.MapPost("", StartAsync).Produces<GenerationView>(StatusCodes.Status202Accepted)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status429TooManyRequests)
            .WithSummary("Asks a checkpoint to go on with a text or a conversation; its worker is chosen now, and its events follow under /events.");
        writes.MapDelete("/{id:guid}", async Task<IResult> (Guid id, GenerationStore store, ClaimsPrincipal caller, CancellationToken stop) =>
                await store.StopAsync(id, caller.CallerName(), stop) ? Results.NoContent() : NotFound(id))
            .Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status404NotFound).WithSummary("Stops a request; what came so far stands.");

        worker.MapPost("/generations/{id:guid}", TakeAsync).Produces(StatusCodes.Status204NoContent).ProducesProblem(StatusCodes.Status409Conflict)
            .WithSummary("The next events of a request; idempotent by their first number.");
    }

    private static async Task<IResult> StartAsync(StartGeneration request, GenerationStore store, ClaimsPrincipal caller, HttpResponse response, CancellationToken stop)
    {
        if (GenerationChecks.Check(request) is { Count: > 0 } errors)
        {
            return Problems.Fields(errors);
        }

        switch (await store.StartAsync(request, caller.CallerName(), stop))
        {
            case GenerationStart.Placed placed:
                return Results.Accepted($"/api/v1/generations/{placed.View.Id}", placed.View);
            case GenerationStart.Unknown unknown:
                return Problems.NotFound(unknown.Detail);
            case GenerationStart.Wrong wrong:
                return Problems.Fields(wrong.Errors);
            case GenerationStart.Refused refused:
                return Problems.Conflict(refused.Detail);
            case GenerationStart.TooMany many:
                response.Headers.RetryAfter = "2";
                return TypedResults.Problem(many.Detail, statusCode: StatusCodes.Status429TooManyRequests);
            default:
                throw new InvalidOperationException("a start that has no answer");
        }
    }

    private static async Task<IResult> EventsAsync(
        Guid id, string? last_event_id, GenerationStore store, GenerationStream stream, IHostApplicationLifetime life, HttpContext context)
    {
        string? given = context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } header ? header : last_event_id;
        long after = long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
        switch (await store.IsReadAsync(id, after, context.RequestAborted))
        {
            case null:
                return NotFound(id);
            case true:
                // Browsers take up a stream that has ended again and again, until they are told so.
                return Results.NoContent();
        }

        // A stopping coordinator ends the stream; its reader goes on at another one.
        var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
        context.Response.RegisterForDispose(stop);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(stream.ReadAsync(id, after, stop.Token));
    }

    private static async Task<IResult> ChoicesAsync(int? limit, CheckpointChoices choices, CancellationToken stop)
    {
        const string Allowed = "1 to 500";
        return limit is < 1 or > MostChoices
            ? Problems.Field("limit", Words.Number(limit.Value), Allowed)
            : Results.Ok(await choices.ListAsync(limit ?? 100, stop));
    }

    private static async Task<IResult> TakeAsync(Guid id, GenerationBatch batch, ClaimsPrincipal caller, GenerationMail mail, CancellationToken stop)
    {
        if (batch.Events is not { Count: > 0 and <= MostEvents })
        {
            return Problems.Field("events", $"a list of {batch.Events?.Count ?? 0}", $"1 to {Words.Number(MostEvents)} events");
        }

        if (batch.First < 1 || batch.Events.SkipLast(1).Any(e => e.IsLast))
        {
            return Problems.Field(batch.First < 1 ? "first" : "events", batch.First < 1 ? Words.Number(batch.First) : "not in order", batch.First < 1 ? "1 or more" : "done, stopped or failed as the last one only");
        }

        return await mail.TakeAsync(id, caller.WorkerId(), batch, stop) ? Results.NoContent() : Problems.Conflict("This request is over, or another worker's. Stop it and send nothing more of it.");
    }

    private static IResult NotFound(Guid id) => Problems.NotFound($"No request has the id {id}. One that ended is kept for an hour.");
}
