using System.Text.Json;
using Hearth.Api;
using Hearth.Models;

namespace Hearth.Coordinator.Runs;

/// <summary>What submitting a spec would say, before anything is queued.</summary>
public static class RunChecksApi
{
    public static void MapRunChecks(this RouteGroupBuilder api) => api.MapPost("/runs/validate", (SubmitRun request) =>
    {
        var run = RunChecks.Validate(request.Spec);
        if (run.Spec is not { } spec || run.Plan is not { } plan)
        {
            return new Validation(run.Errors, null, null, []);
        }

        int length = spec.Data.SeqLen;
        var cost = new ModelCost(
            plan.Parameters,
            plan.FlopsPerToken(length),
            (long)spec.Train.Steps * spec.Train.BatchTokens,
            MemoryForecast.Of(plan, 1, length, spec.Train.Precision).Total);
        return new Validation([], JsonSerializer.SerializeToElement(spec, Json.Wire), cost, []);
    });
}
