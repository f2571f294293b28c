using System.Globalization;
using System.Security.Claims;
using System.Text.Json;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Hosting;
using Hearth.Models;
using Hearth.Runs;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Hearth.Coordinator.Runs.Requests;

/// <summary>Runs: submit, look, steer.</summary>
public static class RunsApi
{
    private const int MostPerPage = 500;
    private const int LongestPrompt = 1 << 16;
    private const int MostSampleTokens = 4096;

    public static void AddRuns(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<RunStore>();
        builder.Services.AddSingleton<RunChanges>();
        builder.Services.AddSingleton<RunDetails>();
        builder.Services.AddSingleton<RunStarts>();
        builder.Services.AddSingleton<RunSubmission>();
        builder.Services.AddSingleton<RunActions>();
        builder.Services.AddSingleton<AttemptReports>();
        builder.Services.AddSingleton<PoolDevices>();
        builder.Services.AddSingleton<WaitingReasons>();
    }

    public static void MapRuns(this RouteGroupBuilder api)
    {
        var runs = api.MapGroup("/runs");
        runs.MapGet("", ListAsync).WithSummary("Runs, newest first, by pages behind a cursor.");
        runs.MapGet("/{run}", FindAsync).WithSummary("One run with its attempts, checkpoints and notes; by id, or by number as r-17.");
        runs.MapPost("/validate", ValidateAsync).WithSummary("What submitting this spec would say, and where it would fit. Stores nothing.");

        var writes = runs.MapGroup("").RequireAuthorization(Policies.Submit);
        writes.MapPost("", SubmitAsync).WithSummary("Queues a run. A repeat with the same Idempotency-Key and body gives the same run.");
        writes.MapPost("/{run}/cancel", (RunRef run, ClaimsPrincipal caller, RunActions actions, CancellationToken stop) => actions.CancelAsync(run, caller.CallerName(), stop))
            .WithSummary("Ends a run for good; its attempt is killed.");
        writes.MapPost("/{run}/pause", (RunRef run, ClaimsPrincipal caller, RunActions actions, CancellationToken stop) => actions.PauseAsync(run, caller.CallerName(), stop))
            .WithSummary("Has a run write a checkpoint, free its device and wait.");
        writes.MapPost("/{run}/resume", (RunRef run, ClaimsPrincipal caller, RunActions actions, CancellationToken stop) => actions.ResumeAsync(run, caller.CallerName(), stop))
            .WithSummary("Queues a paused run again.");
        writes.MapPost("/{run}/checkpoint", (RunRef run, RunActions actions, CancellationToken stop) => actions.CheckpointAsync(run, stop))
            .WithSummary("Has a running run write a checkpoint now.");
        writes.MapPost("/{run}/sample", async (RunRef run, [FromBody] SampleRequest? request, RunActions actions, CancellationToken stop) =>
            Check(request ??= new SampleRequest(null, null, null)) is { Count: > 0 } errors ? Problems.Fields(errors) : await actions.SampleAsync(run, request, stop)).WithSummary("Has a running run write a sample now.");
    }

    private static async Task<Results<Ok<Page<RunSummary>>, ProblemHttpResult>> ListAsync(
        RunStore store, string? state, string? family, string? q, string? cursor, int? limit, CancellationToken stop)
    {
        var errors = new List<FieldError>();
        var states = new List<RunState>();
        foreach (string name in (state ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (Enum.TryParse<RunState>(name, ignoreCase: true, out var known) && Enum.IsDefined(known) && !char.IsDigit(name[0]))
            {
                states.Add(known);
            }
            else
            {
                string allowed = string.Join(", ", Enum.GetNames<RunState>().Select(n => n.ToLowerInvariant()));
                errors.Add(new FieldError("state", name, allowed, $"state is {name}. Allowed: {allowed}."));
            }
        }

        long before = long.MaxValue;
        if (!string.IsNullOrEmpty(cursor) && !long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out before))
        {
            errors.Add(new FieldError("cursor", cursor, "the next of an earlier page", $"cursor is {cursor}. Allowed: the next of an earlier page."));
        }

        if (limit is < 1 or > MostPerPage)
        {
            errors.Add(new FieldError("limit", Words.Number(limit.Value), $"1 to {MostPerPage}", $"limit is {Words.Number(limit.Value)}. Allowed: 1 to {MostPerPage}."));
        }

        return errors.Count > 0
            ? Problems.Fields(errors)
            : TypedResults.Ok(await store.ListAsync(new RunFilter(states, Given(family), Given(q)), before, limit ?? 100, stop));
    }

    private static List<FieldError> Check(SampleRequest request)
    {
        var errors = new List<FieldError>();
        void Wrong(string field, string value, string allowed) => errors.Add(FieldError.Of(field, value, allowed));
        if (request.Prompt is { } prompt && (prompt.Length > LongestPrompt || prompt.Contains('\0', StringComparison.Ordinal)))
        {
            Wrong("prompt", $"{Words.Number(prompt.Length)} characters long", $"at most {Words.Number(LongestPrompt)} characters, none of them U+0000");
        }

        if (request.MaxTokens is { } tokens and not (>= 1 and <= MostSampleTokens))
        {
            Wrong("max_tokens", Words.Number(tokens), $"1 to {Words.Number(MostSampleTokens)}");
        }

        if (request.Temperature is { } temperature and not (>= 0 and <= 10))
        {
            Wrong("temperature", Words.Number(temperature), "0 to 10");
        }

        return errors;
    }

    private static async Task<Results<Ok<RunDetail>, ProblemHttpResult>> FindAsync(RunRef run, RunDetails details, CancellationToken stop) =>
        await details.FindAsync(run, stop) is { } detail ? TypedResults.Ok(detail) : Problems.NotFound($"No run is called {run}.");

    private static async Task<Validation> ValidateAsync(SubmitRun request, RunSubmission submission, CancellationToken stop)
    {
        var run = await submission.CheckAsync(request.Spec, stop);
        return run.Spec is { } spec && run.Plan is { } plan
            ? new Validation([], JsonSerializer.SerializeToElement(spec, Json.Wire), Cost(spec, plan), run.Fits)
            : new Validation(run.Errors, null, null, run.Fits);
    }

    private static async Task<Results<Created<RunSummary>, Ok<RunSummary>, ProblemHttpResult>> SubmitAsync(
        SubmitRun request,
        [FromHeader(Name = IdempotencyKey.Header)] string? given,
        ClaimsPrincipal caller,
        RunSubmission submission,
        RunStore store,
        CancellationToken stop)
    {
        if (!IdempotencyKey.TryRead(given, out string? key, out var refusal))
        {
            return refusal;
        }

        if (key is not null && await store.FindByKeyAsync(caller.CallerName(), key, request.Spec, stop) is { } earlier)
        {
            return Answer(earlier, key);
        }

        var run = await submission.CheckAsync(request.Spec, stop);
        return run.Spec is { } spec && run.Plan is { } plan
            ? Answer(await store.AddAsync(spec, plan.Parameters, run.StartCheckpoint, caller.CallerName(), key, request.Spec, stop), key)
            : Problems.Fields(run.Errors);
    }

    private static Results<Created<RunSummary>, Ok<RunSummary>, ProblemHttpResult> Answer(Submitted submitted, string? key) => submitted switch
    {
        { Run: null } => IdempotencyKey.IsTaken(key, "spec", "run"),
        { IsNew: true, Run: { } run } => TypedResults.Created($"/api/v1/runs/{run.Id}", run),
        { Run: { } run } => TypedResults.Ok(run),
    };

    private static ModelCost Cost(RunSpec spec, ModelPlan plan) => new(
        plan.Parameters,
        plan.FlopsPerToken(spec.Data.SeqLen),
        (long)spec.Train.Steps * spec.Train.BatchTokens,
        MemoryForecast.Of(plan, spec, 1).Total);

    private static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
