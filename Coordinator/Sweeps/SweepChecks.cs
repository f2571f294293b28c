using Hearth.Api;
using Hearth.Coordinator.Runs.Requests;
using Hearth.Coordinator.Sweeps.Rules;
using Hearth.Runs;

namespace Hearth.Coordinator.Sweeps;

/// <summary>Every check of a sweep before anything is spent: its own fields, and the runs at the ends of its ranges and of each value of its choices.</summary>
public sealed class SweepChecks(RunSubmission submission)
{
    private const int MostErrors = 50;

    public async Task<(SweepPlan? Plan, IReadOnlyList<FieldError> Errors)> CheckAsync(SubmitSweep request, CancellationToken stop)
    {
        var (plan, errors) = SweepPlans.Read(request);
        if (plan is null)
        {
            return (null, errors);
        }

        var wrong = new List<FieldError>();
        foreach (var setting in SpaceCorners.Of(plan.Space))
        {
            var run = await submission.CheckAsync(TrialRuns.SpecOf(request, plan, setting, 0), stop);
            wrong.AddRange(run.Errors.Select(e => Placed(request, e)).Where(e => !wrong.Contains(e)));
            if (wrong.Count >= MostErrors)
            {
                break;
            }
        }

        return (wrong.Count == 0 ? plan : null, wrong);
    }

    // Where the value comes from: the space, or the base run.
    private static FieldError Placed(SubmitSweep request, FieldError error)
    {
        int field = request.Space.Index().FirstOrDefault(f => f.Item.Field == error.Field, (-1, null!)).Index;
        return error with { Field = error.Field == "name" ? "name" : field >= 0 ? $"space[{field}]" : $"spec.{error.Field}" };
    }
}
