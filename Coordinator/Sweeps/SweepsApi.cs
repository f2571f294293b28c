using System.Security.Claims;
using Hearth.Api;
using Hearth.Coordinator.Access;
using Hearth.Coordinator.Cluster;
using Hearth.Coordinator.Hosting;
using Hearth.Coordinator.Sweeps.Rules;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Sweeps: submit, look, cancel.</summary>
public static class SweepsApi
{
    private const int MostPerList = 200;

    public static void AddSweeps(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<SweepStore>();
        builder.Services.AddSingleton<SweepChecks>();
        builder.Services.AddSingleton<TrialRuns>();
        builder.Services.AddSingleton<SweepCycle>();
        builder.Services.AddSingleton<SweepWork>(services => services.GetRequiredService<SweepCycle>().RunAsync);
        builder.Services.AddHostedService<SweepKeeper>();
    }

    public static void MapSweeps(this RouteGroupBuilder api)
    {
        var sweeps = api.MapGroup("/sweeps");
        sweeps.MapGet("", (SweepStore store, CancellationToken stop) => store.ListAsync(MostPerList, stop)).WithSummary("The newest 200 sweeps.");
        sweeps.MapGet("/{sweep}", FindAsync).WithSummary("One sweep with its trials and decisions; by id, or by number as s-17.");
        sweeps.MapGet("/{sweep}/importance", ImportanceAsync).WithSummary("Which of the fields that a sweep's trials differ in matter for its metric. Refused while too few trials have a result.");
        sweeps.MapPost("/validate", ValidateAsync).WithSummary("What submitting this sweep would say, how many trials it has and what they train. Stores nothing.");

        var writes = sweeps.MapGroup("").RequireAuthorization(Policies.Submit);
        writes.MapPost("", SubmitAsync).WithSummary("Begins a sweep. A repeat with the same Idempotency-Key and body gives the same sweep.");
        writes.MapPost("/{sweep}/cancel", CancelAsync).WithSummary("Ends a sweep and the runs of its trials.");
    }

    private static async Task<Results<Ok<SweepDetail>, ProblemHttpResult>> FindAsync(SweepRef sweep, SweepStore store, CancellationToken stop) =>
        await store.FindAsync(sweep, stop) is { } detail ? TypedResults.Ok(detail) : Unknown(sweep);

    private static async Task<Results<Ok<SweepImportance>, ProblemHttpResult>> ImportanceAsync(SweepRef sweep, SweepStore store, CancellationToken stop)
    {
        if (await store.ResultsAsync(sweep, stop) is not var (plan, step, results))
        {
            return Unknown(sweep);
        }

        if (results.Count < FieldImportance.LeastTrials)
        {
            return Problems.Conflict(
                $"The sweep {sweep} has {results.Count} trials with a result at the same step; what matters can be told from {FieldImportance.LeastTrials} on.");
        }

        var found = FieldImportance.Of(plan.Space, results, plan.Maximise, plan.Seed);
        double sum = found.Fields.Sum(f => f.Weight);
        return TypedResults.Ok(new SweepImportance
        {
            Metric = plan.Metric,
            Step = step,
            Trials = results.Count,
            Explained = found.Explained,
            Fields = [.. found.Fields.Select(f => new ImportantField(f.Path, f.Weight, sum > 0 ? f.Weight / sum : 0, f.Trials))],
        });
    }

    private static async Task<SweepValidation> ValidateAsync(SubmitSweep request, SweepChecks checks, CancellationToken stop)
    {
        var (plan, errors) = await checks.CheckAsync(request, stop);
        if (plan is null)
        {
            return new SweepValidation { Errors = errors };
        }

        long tokens = SweepPlans.TokensPerStep(request, plan)(plan.Space.Fill(d => plan.Space.Dimensions[d].At(0.5)));
        return new SweepValidation
        {
            Errors = [],
            Trials = plan.Trials,
            Rungs = plan.Rungs,
            Tokens = tokens * SweepPlans.ForecastSteps(plan),
            TokensOfAll = tokens * plan.Trials * plan.Rungs[^1],
        };
    }

    private static async Task<Results<Created<SweepSummary>, Ok<SweepSummary>, ProblemHttpResult>> SubmitAsync(
        SubmitSweep request,
        [FromHeader(Name = IdempotencyKey.Header)] string? given,
        ClaimsPrincipal caller,
        SweepChecks checks,
        SweepStore store,
        Wakes wakes,
        CancellationToken stop)
    {
        if (!IdempotencyKey.TryRead(given, out string? key, out var refusal))
        {
            return refusal;
        }

        if (key is not null && await store.FindByKeyAsync(caller.CallerName(), key, request, stop) is { } earlier)
        {
            return Answer(earlier, key);
        }

        if (await checks.CheckAsync(request, stop) is { Plan: null, Errors: var errors })
        {
            return Problems.Fields(errors);
        }

        var submitted = await store.AddAsync(request, caller.CallerName(), key, stop);
        if (submitted.Sweep is { } sweep)
        {
            wakes.Sweep(sweep.Id);
        }

        return Answer(submitted, key);
    }

    private static async Task<Results<Ok<SweepAction>, ProblemHttpResult>> CancelAsync(SweepRef sweep, ClaimsPrincipal caller, SweepStore store, Wakes wakes, CancellationToken stop)
    {
        if (await store.CancelAsync(sweep, caller.CallerName(), stop) is not var (id, state, changed))
        {
            return Unknown(sweep);
        }

        if (changed)
        {
            wakes.Sweep(id);
        }

        return state == SweepStateName.Done ? Problems.Conflict($"The sweep {sweep} is done; it cannot be cancelled.") : TypedResults.Ok(new SweepAction(id, state));
    }

    private static Results<Created<SweepSummary>, Ok<SweepSummary>, ProblemHttpResult> Answer(SubmittedSweep submitted, string? key) => submitted switch
    {
        { Sweep: null } => IdempotencyKey.IsTaken(key, "sweep", "sweep"),
        { IsNew: true, Sweep: { } sweep } => TypedResults.Created($"/api/v1/sweeps/{sweep.Id}", sweep),
        { Sweep: { } sweep } => TypedResults.Ok(sweep),
    };

    private static ProblemHttpResult Unknown(SweepRef sweep) => Problems.NotFound($"No sweep is called {sweep}.");
}
